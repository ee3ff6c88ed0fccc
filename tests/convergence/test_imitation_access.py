"""The imitation asks for access, renews it, and shows nothing of what was taken away."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.convergence.fakes import Handler, Scene, settle, until
from tests.convergence.imitation.page import Fetched, Page, load
from tests.convergence.imitation.region import Region
from tests.convergence.imitation.subscription import Options

LIST, OTHER = "list:1", "list:2"


class CountedPage(Page):
    """One that counts who asks for it."""

    asked = 0

    def fresh(self) -> asyncio.Task[Fetched]:
        self.asked += 1
        return super().fresh()


class Site:
    """A page of two regions, whose answers the test gives."""

    def __init__(self, *shares: float) -> None:
        self.scene = Scene(*shares)
        self.begun: list[asyncio.Future[str]] = []
        self.page = CountedPage(self._fetch, lambda: [LIST, OTHER], self.scene.tools, self._renew)
        about = (self.page, self.scene.live, self.scene.tools)
        self.regions = [Region(*about, [LIST]), Region(*about, [OTHER])]

    async def load(self) -> None:
        """Have the browser load the page."""
        loading = asyncio.create_task(load(self._fetch, [LIST, OTHER]))
        await self.answer(1, "first")
        for region in self.regions:
            region.connect(await loading)
        await self.scene.welcome()

    async def answer(self, number: int, title: str, *, hidden: str = "") -> None:
        """Answer the so-manieth fetch, once it has begun."""
        await until(lambda: len(self.begun) >= number)
        rows = {each: {} if each == hidden else {"1": [title]} for each in (LIST, OTHER)}
        topics = [
            {"topic": each, "cursor": f"c-{title}", "ticket": f"t-{title}"}
            for each in rows
            if each != hidden
        ]
        scripts = {"live-head": {"topics": topics, "jitter": 1000}, "rows": rows}
        self.begun[number - 1].set_result(
            "".join(
                f'<script id="{name}" type="application/json">{json.dumps(what)}</script>'
                for name, what in scripts.items()
            )
        )
        await settle()

    async def _fetch(self, path: str) -> str:
        self.begun.append(asyncio.get_running_loop().create_future())
        return await self.begun[-1]

    def _renew(self, tickets: dict[str, str | None]) -> None:
        self.scene.live.renew_tickets(tickets)


@pytest.fixture
async def site() -> Site:
    """One that is loaded, welcomed and confirmed."""
    made = Site()
    await made.load()
    await made.scene.confirm(LIST, OTHER)
    return made


async def test_each_request_names_the_ticket(site: Site) -> None:
    """That of the page that brought the markup."""
    asked = site.scene.server.asked

    assert asked == [
        {"topic": each, "cursor": "c-first", "ticket": "t-first"} for each in (LIST, OTHER)
    ]


async def test_a_refetch_renews_the_tickets_of_all_regions(site: Site) -> None:
    """Whichever region wanted it; the cursor is the one that each has applied."""
    await site.scene.change(LIST, cursor="c1")
    await site.answer(2, "second")
    await site.scene.reconnect()

    assert site.scene.server.asked == [
        {"topic": LIST, "cursor": "c1", "ticket": "t-second"},
        {"topic": OTHER, "cursor": "c-first", "ticket": "t-second"},
    ]


async def test_a_refused_topic_whose_ticket_has_changed_is_asked_for_again() -> None:
    """It was refused for the old one."""
    scene = Scene()
    subscription = scene.live.subscribe(LIST, Options(cursor="c0", ticket="old"), Handler())
    await scene.welcome()
    scene.live.renew_tickets({LIST: "new", OTHER: "else"})
    await scene.deny(LIST)

    assert [each["ticket"] for each in scene.server.asked] == ["old", "new"]
    assert subscription in scene.live._subscriptions.all()


async def test_a_script_hands_a_fresh_ticket_in_once_a_connection() -> None:
    """The denied topic is asked for again; a fresh ticket that is denied as well is the end."""
    scene, denied = Scene(), []
    options = Options(cursor="c0", ticket="old", on_denied=denied.append)
    scene.live.subscribe(LIST, options, Handler())
    await scene.welcome()
    await scene.deny(LIST)
    assert len(scene.server.asked) == 1

    scene.live.renew_tickets({LIST: "new"})
    await settle()
    assert scene.server.asked[1] == {"topic": LIST, "cursor": "c0", "ticket": "new"}
    await scene.deny(LIST)
    scene.live.renew_tickets({LIST: "newer"})
    await settle()

    assert len(scene.server.asked) == 2
    assert denied == ["not allowed", "not allowed"]
    assert scene.live.state == "stale"


async def test_a_run_under_way_at_a_denial_is_the_only_one_until_it_ends() -> None:
    """Also after the renewal; what came meanwhile follows."""
    scene, handler = Scene(), Handler()
    options = Options(cursor="c0", ticket="old")
    subscription = scene.live.subscribe(LIST, options, handler)
    await scene.welcome()
    await scene.confirm(LIST)
    await scene.change(LIST, "1", "c1")
    await scene.reconnect()
    await scene.deny(LIST)

    scene.live.renew_tickets({LIST: "new"})
    await settle()
    await scene.confirm(LIST)
    await scene.change(LIST, "2", "c2")
    assert len(handler.told) == 1
    handler.go.set()
    await settle()

    assert [sorted(news.pks) for news in handler.told] == [["1"], ["2"]]
    assert subscription.cursor == "c2"


async def test_nothing_is_run_after_access_ended() -> None:
    """Neither what waits nor what comes all the same; and how a run ended is forgotten."""
    scene = Scene()
    handler, denied = Handler(), []
    options = Options(cursor="c0", on_denied=denied.append)
    subscription = scene.live.subscribe(LIST, options, handler)
    await scene.welcome()
    await scene.confirm(LIST)
    await scene.change(LIST, "1", "c1")
    await scene.change(LIST, "2", "c2")

    await scene.revoke(LIST)
    handler.go.set()
    await scene.change(LIST, "3", "c3")

    assert denied == ["revoked"]
    assert [sorted(news.pks) for news in handler.told] == [["1"]]
    assert subscription.cursor == "c0"
    assert scene.live.settled


async def test_a_page_that_was_fetched_before_access_ended_is_not_shown_after_it(
    site: Site,
) -> None:
    """The next one is, and shows that there is nothing."""
    region, other = site.regions
    await site.scene.change(LIST)
    await until(lambda: len(site.begun) == 2)

    await site.scene.revoke(LIST)
    await site.answer(2, "secret")
    assert region.shown[LIST] == {"1": ["first"]}
    assert region.denied == {LIST}

    await site.scene.clock.advance(0.5)
    await site.answer(3, "none", hidden=LIST)

    assert region.shown[LIST] == {}
    assert site.scene.server.asked[-1] == {"topic": LIST}
    assert other.shown[OTHER] == {"1": ["first"]}


async def test_a_denied_topic_that_the_page_still_names_is_asked_for_soon_then_rarely(
    site: Site,
) -> None:
    """With the ticket that the page brings; until it is given back."""
    (region, _), scene = site.regions, site.scene
    await scene.revoke(LIST)
    for number, pause in enumerate((1, 2, 4), 2):
        before = site.page.asked
        await scene.clock.advance(pause / 2 - 0.1)
        assert site.page.asked == before
        await scene.clock.advance(0.1)
        await site.answer(number, f"look {number}", hidden=LIST)
        await scene.deny(LIST)
        assert region.denied == {LIST}

    await scene.clock.advance(4)
    await site.answer(5, "back")
    await scene.confirm(LIST)

    wanted = {"topic": LIST, "cursor": "c-back", "ticket": "t-back"}
    assert scene.server.asked[-1] == wanted
    assert region.shown[LIST] == {"1": ["back"]}
    assert region.denied == frozenset()


async def test_an_old_ticket_is_no_reason_to_wait_long(site: Site) -> None:
    """What was confirmed, and is refused on the next connection, is looked for soon each time."""
    for number in (2, 3):
        await site.scene.reconnect()
        await site.scene.confirm(OTHER)
        await site.scene.deny(LIST)
        await site.scene.clock.advance(0.5)
        await site.answer(number, f"look {number}")
        await site.scene.confirm(LIST)

        assert site.scene.live.state == "live"


async def test_regions_that_are_denied_look_together() -> None:
    """One share of the pause is drawn for them, and one fetch shows them all."""
    site = Site(0.5, 0.1)
    await site.load()
    await site.scene.confirm(LIST, OTHER)

    await site.scene.revoke(LIST, OTHER)
    await site.scene.clock.advance(0.4)
    assert site.page.asked == 0
    await site.scene.clock.advance(0.1)
    await site.answer(2, "both")
    await site.scene.confirm(LIST, OTHER)

    assert [region.shown for region in site.regions] == [
        {each: {"1": ["both"]}} for each in (LIST, OTHER)
    ]
    assert len(site.begun) == 2


async def test_a_revocation_that_crosses_a_request_leaves_the_request_to_its_answer() -> None:
    """Who is on the way to ask is not ended by it."""
    scene, late = Scene(), Handler(go=True)
    scene.live.subscribe(LIST, Options(cursor="c0"), Handler(go=True))
    await scene.welcome()
    await scene.confirm(LIST)
    scene.live.subscribe(LIST, Options(cursor="c0", ticket="new"), late)
    await settle()

    await scene.revoke(LIST)
    await scene.confirm(LIST)
    await scene.change(LIST)

    assert len(late.told) == 1
    assert scene.live.state == "stale"


async def test_a_topic_that_a_script_brings_back_is_caught_up_with(site: Site) -> None:
    """Though the page was loaded with it: the content is that of another by now."""
    region = site.regions[0]
    region.set_topics(["list:8"])
    await settle()
    region.set_topics([LIST])
    await settle()

    assert site.scene.server.asked[-1] == {"topic": LIST, "ticket": "t-first"}
