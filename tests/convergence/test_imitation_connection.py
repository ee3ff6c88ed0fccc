"""The imitation's connection comes back, doubts and asks as the browser's does."""

from __future__ import annotations

import pytest

from tests.convergence.fakes import Handler, Scene, settle
from tests.convergence.imitation.comeback import Comeback
from tests.convergence.imitation.frames import LONGEST_FRAME, in_frames
from tests.convergence.imitation.subscription import Options


@pytest.fixture
async def scene() -> Scene:
    """A client that watches one topic, and is welcomed."""
    made = Scene()
    made.live.subscribe("list:1", Options(cursor="c0"), Handler(go=True))
    await made.welcome()
    return made


@pytest.mark.parametrize("code", [4400, 4413, 4429, 4504])
def test_what_coming_back_soon_does_not_cure_is_asked_more_and_more_rarely(code: int) -> None:
    """From 30-60 seconds on, up to 300."""
    widest, least = Comeback(lambda: 1.0), Comeback(lambda: 0.0)

    assert [widest.after(code, 0) for _ in range(5)] == [
        (False, wait) for wait in (60, 90, 150, 270, 300)
    ]
    assert [least.after(code, 0) for _ in range(2)] == [(False, 30), (False, 30)]


@pytest.mark.parametrize("code", [4401, 4403])
def test_a_refusal_is_one_of_these_and_known_as_such(code: int) -> None:
    """The state says so."""
    assert Comeback(lambda: 1.0).after(code, 0) == (True, 60)


@pytest.mark.parametrize("code", [4503, 1012, 1013])
def test_a_crowd_that_was_sent_away_together_spreads_over_five_seconds(code: int) -> None:
    """Wider, when that happens again and again."""
    comeback = Comeback(lambda: 1.0)

    assert [comeback.after(code, 0)[1] for _ in range(4)] == [5, 5, 5, 8]


def test_what_had_served_for_ten_seconds_begins_with_the_shortest_wait_again() -> None:
    """Less may be a crash loop."""
    comeback = Comeback(lambda: 1.0)

    assert [comeback.after(1006, served)[1] for served in (0, 0, 9.9, 10)] == [1, 2, 4, 1]
    assert [comeback.after(4504, served)[1] for served in (0, 0, 10)] == [60, 90, 60]


async def test_a_connection_serves_from_when_all_is_answered(scene: Scene) -> None:
    """However long it was open before."""
    waits = []
    for is_answered in (False, False, True, False):
        await scene.clock.advance(20)
        if is_answered:
            await scene.confirm("list:1")
            await scene.clock.advance(11)
        await scene.server.end(1006)
        (timer,) = scene.clock.timers
        waits.append(timer.at - scene.clock.time)
        await scene.clock.advance(waits[-1])
        await scene.welcome()

    assert waits == pytest.approx([0.5, 1.0, 0.5, 1.0])


async def test_an_answer_that_does_not_come_in_time_is_a_doubt(scene: Scene) -> None:
    """What was asked later has its own thirty seconds."""
    scene.live.subscribe("list:2", Options(cursor="c0"), Handler(go=True))
    await settle()
    await scene.confirm("list:1")
    first = scene.server

    await scene.server.tell("ping", seq=1)
    await scene.clock.advance(29)
    scene.live.subscribe("list:3", Options(cursor="c0"), Handler(go=True))
    await settle()
    await scene.confirm("list:2")
    await scene.server.tell("ping", seq=2)
    await scene.clock.advance(29)
    assert not first.closed
    await scene.clock.advance(1.1)

    assert first.closed
    assert scene.tools.counts["overdue"] == 1


async def test_answers_may_come_in_parts(scene: Scene) -> None:
    """The page is live when the last is there."""
    scene.live.subscribe("list:2", Options(cursor="c0"), Handler(go=True))
    await settle()
    await scene.confirm("list:2")
    assert scene.live.state == "connecting"

    await scene.confirm("list:1")

    assert scene.live.state == "live"
    assert scene.live.settled


async def test_a_sleep_is_noticed_by_the_clock(scene: Scene) -> None:
    """Though all timers have slept, too; what was buffered before it is no sign of life."""
    first = scene.server
    scene.clock.sleep(70)

    await first.tell("ping", seq=1)

    assert first.closed
    assert first.sent[-1]["type"] != "pong"


async def test_silence_is_noticed_soon_after_a_sleep(scene: Scene) -> None:
    """By a look at the clock each five seconds."""
    await scene.confirm("list:1")
    first = scene.server
    scene.clock.sleep(70)
    assert not first.closed

    await scene.clock.advance(5)

    assert first.closed


async def test_leaving_very_many_topics_is_split_as_well(scene: Scene) -> None:
    """As is asking for them: no frame is longer than servers take, in bytes."""
    names = [f"list:{number}-{'ü' * 60}" for number in range(1000)]
    watched = [scene.live.subscribe(each, Options(), Handler(go=True)) for each in names]
    await settle()
    await scene.confirm("list:1", *names)
    for subscription in watched:
        subscription.cancel()
    await settle()

    for kind, field in (("subscribe", "subscriptions"), ("unsubscribe", "topics")):
        frames = [frame[field] for frame in scene.server.sent if frame["type"] == kind]
        assert len(frames) > 2
    unsubscribed = [frame for frame in scene.server.sent if frame["type"] == "unsubscribe"]
    assert [topic for frame in unsubscribed for topic in frame["topics"]] == names


def test_a_frame_s_length_is_measured_in_bytes() -> None:
    """As it travels."""
    text = "ü" * (LONGEST_FRAME // 8)

    assert [len(frame) for frame in in_frames([text] * 7)] == [3, 3, 1]
    assert in_frames([]) == []


@pytest.mark.parametrize(
    ("reason", "seconds"), [("raw-sql", 0.5), ("unknown-cursor", 0.0), ("access", 0.0)]
)
async def test_what_resets_everybody_is_spread_and_waits_together(
    reason: str, seconds: float
) -> None:
    """One share of the wait is drawn for the page; its own affairs wait for nothing."""
    scene = Scene(0.5, 0.1)
    wide, narrow = Handler(go=True), Handler(go=True)
    for topic, handler, width in (("list:1", wide, 2.0), ("list:2", narrow, 1.0)):
        options = Options(cursor="c0", together=True, jitter=width)
        scene.live.subscribe(topic, options, handler)
    await scene.welcome()
    await scene.confirm("list:1", "list:2")

    await scene.reset(["list:1", "list:2"], reason)
    if seconds:
        await scene.clock.advance(seconds - 0.1)
        assert wide.told + narrow.told == []
        await scene.clock.advance(0.1)

    assert [len(wide.told), len(narrow.told)] == [1, 1]


async def test_the_page_says_how_wide_resets_are_spread(scene: Scene) -> None:
    """An ordinary change is told at once all the same."""
    handler = Handler(go=True)
    scene.live.subscribe("list:8", Options(cursor="c0", reset_jitter=8.0), handler)
    await settle()
    await scene.confirm("list:1", "list:8")

    await scene.change("list:8")
    assert len(handler.told) == 1
    await scene.reset(["list:8"], "bulk")
    await scene.clock.advance(3.9)
    assert len(handler.told) == 1
    await scene.clock.advance(0.1)

    assert len(handler.told) == 2


async def test_a_page_that_is_looked_at_waits_for_no_spread(scene: Scene) -> None:
    """Nor does one that was woken a moment ago."""
    handler = Handler(go=True)
    scene.live.subscribe("list:8", Options(cursor="c0", jitter=60.0), handler)
    await settle()
    await scene.confirm("list:1", "list:8")
    await scene.change("list:8", "1")
    assert not handler.told

    scene.live.wake()
    await scene.server.tell("pong")
    assert len(handler.told) == 1
    await scene.change("list:8", "2")

    assert len(handler.told) == 2
