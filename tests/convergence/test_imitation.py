"""The clients do as the browser's does: what tests/js/ asks of that one, for its main promises."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from tests.convergence.fakes import Handler, Scene, settle
from tests.convergence.imitation.gate import Gate
from tests.convergence.imitation.news import News, merge_news, read_news
from tests.convergence.imitation.pace import Pace
from tests.convergence.imitation.page import Fetched, Page
from tests.convergence.imitation.runner import Runner
from tests.convergence.imitation.subscription import Options
from tests.convergence.imitation.tools import Tools


@pytest.fixture
def tools() -> Tools:
    return Tools(Random(1), pace=0.001)


def make_runner(handler: Handler, tools: Tools) -> Runner:
    """One that nobody else waits with."""
    return Runner(handler, "0", tools, Pace(None, None, Gate(tools), tools), lambda: None)


async def idle(runner: Runner) -> None:
    async with asyncio.timeout(5):
        while not runner.idle:
            await asyncio.sleep(0)


def updated(pk: str, cursor: str | None = None) -> News:
    return News(None, {"board.task": {pk: "updated"}}, cursor)


async def test_runs_do_not_overlap_and_news_meanwhile_are_merged(tools: Tools) -> None:
    """The second run is told all that came during the first."""
    handler = Handler()
    runner = make_runner(handler, tools)

    runner.tell(updated("1", "1"))
    await asyncio.sleep(0)
    runner.tell(updated("2", "2"))
    runner.tell(updated("3", "3"))
    await asyncio.sleep(0)

    assert [sorted(news.pks) for news in handler.told] == [["1"]]
    handler.go.set()
    await idle(runner)
    assert [sorted(news.pks) for news in handler.told] == [["1"], ["2", "3"]]
    assert runner.cursor == "3"


async def test_the_cursor_moves_only_when_a_run_has_succeeded(tools: Tools) -> None:
    """What failed is told again, with what has come since."""
    handler = Handler(True)
    runner = make_runner(handler, tools)
    handler.go.set()

    runner.tell(updated("1", "1"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert runner.cursor == "0"
    assert runner.behind

    runner.tell(updated("2", "2"))
    await idle(runner)
    assert sorted(handler.told[-1].pks) == ["1", "2"]
    assert runner.cursor == "2"


async def test_news_before_the_confirmation_do_not_move_the_cursor() -> None:
    """It may be ahead of what is still to be replayed."""
    scene, handler = Scene(), Handler(go=True)
    subscription = scene.live.subscribe("list:1", Options(cursor="5"), handler)
    await scene.welcome()

    await scene.change("list:1", cursor="9")
    assert (subscription.cursor, len(handler.told)) == ("5", 1)

    await scene.confirm("list:1", cursor="7")
    await scene.change("list:1", cursor="9")
    assert subscription.cursor == "9"


async def test_one_request_a_topic_is_unanswered_at_a_time() -> None:
    """And it names each cursor of those who wait for the answer."""
    scene = Scene()
    for cursor in ("1", "2"):
        scene.live.subscribe("list:1", Options(cursor=cursor), Handler())
    await scene.welcome()
    assert [request["cursor"] for request in scene.server.asked] == ["1", "2"]

    scene.live.subscribe("list:1", Options(cursor="3"), Handler())
    await settle()
    assert len(scene.server.asked) == 2
    await scene.confirm("list:1", cursor="9")

    assert [request["cursor"] for request in scene.server.asked[2:]] == ["3"]


async def test_who_asks_for_a_page_gets_one_that_was_fetched_after_it_asked(tools: Tools) -> None:
    """One fetch at a time; who asks before the next begins shares it."""
    begun: list[asyncio.Future[str]] = []
    text = (
        '<script id="live-head" type="application/json">{"topics":[]}</script>'
        '<script id="rows" type="application/json">{}</script>'
    )

    async def fetch(path: str) -> str:
        begun.append(asyncio.get_running_loop().create_future())
        return await begun[-1]

    async def until_begun(number: int) -> None:
        async with asyncio.timeout(5):
            while len(begun) < number:
                await asyncio.sleep(0.001)

    page = Page(fetch, lambda: ["list:1"], tools, lambda _: None)
    first = page.fresh()
    assert page.fresh() is first
    await until_begun(1)
    second = page.fresh()
    assert second is not first
    assert len(begun) == 1
    begun[0].set_result(text)
    await until_begun(2)
    begun[1].set_result(text)
    assert isinstance(await second, Fetched)


def test_news_merge_as_the_browser_s_do() -> None:
    """Two verbs for a row make one; a reset absorbs rows; the last cursor known counts."""
    entered = read_news({"changes": {"board.task": {"entered": ["1"]}}, "cursor": "1"})
    left = read_news({"changes": {"board.task": {"left": ["1"]}}})
    reset = read_news({"reset": "bulk", "cursor": "3"})

    assert merge_news(entered, left) == News(None, {"board.task": {"1": "updated"}}, "1")
    assert merge_news(reset, left) == News("bulk", {}, "3")
