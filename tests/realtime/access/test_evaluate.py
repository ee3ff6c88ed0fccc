"""Calls of rules: their number, their threads, their timeouts."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass

import pytest
from django.test import override_settings

from realtime.access import allow, allowed
from realtime.access.evaluate import MOST_CALLS, RuleAnswer, ask_all
from realtime.access.rule_threads import MOST_INSIDE
from realtime.conf import conf
from realtime.exceptions import InvalidRule
from tests.realtime.access.conftest import ADA, PATIENCE, Stuck

YES, NO, FAILED = RuleAnswer.YES, RuleAnswer.NO, RuleAnswer.FAILED
QUICK = override_settings(REALTIME={"RULE_TIMEOUT": 0.5, "RULE_THREADS": 2})


async def test_a_rule_for_many_is_called_once_a_frame(hops: list[object]) -> None:
    """With the keys of all topics, converted; keys that it does not return are refused."""
    asked = []

    @allow("list", many=True)
    def may(user: object, keys: list[int]) -> list[int]:
        asked.append(keys)
        return [key for key in keys if key % 2]

    topics = [f"list:{key}" for key in range(1, 101)]
    answers = await ask_all(ADA, [*topics, "list:x"])

    assert asked == [list(range(1, 101))]
    assert answers == {t: YES if n % 2 == 0 else NO for n, t in enumerate(topics)} | {"list:x": NO}
    assert len(hops) == 1


@dataclass
class Member:
    """Dataclasses have no hash."""

    of: str

    def __call__(self, user: object, key: str) -> bool:
        return key == self.of


async def test_a_rule_may_be_any_callable() -> None:
    """Also one that has no hash."""
    allow("list")(Member("1"))

    assert await ask_all(ADA, ["list:1", "list:2"]) == {"list:1": YES, "list:2": NO}


async def test_an_async_rule_for_many_is_awaited_once(hops: list[object]) -> None:
    """Without a thread; keys of several parts are tuples."""

    @allow("seat", many=True)
    async def may(user: object, keys: list[tuple[int, str]]) -> set[tuple[int, str]]:
        return {(1, "a")}.intersection(keys)

    assert await ask_all(ADA, ["seat:1/a", "seat:2/a"]) == {"seat:1/a": YES, "seat:2/a": NO}
    assert not hops


async def test_sync_rules_of_a_frame_share_one_hop(hops: list[object]) -> None:
    """Of several families; up to a bound, since one deadline is for all of them."""
    threads = set()

    def may(user: object, key: int) -> bool:
        threads.add(threading.get_ident())
        return True

    for family in ("list", "name", "user"):
        allow(family)(may)
    topics = [f"{family}:{key}" for family in ("list", "name", "user") for key in range(10)]

    assert await ask_all(ADA, topics) == dict.fromkeys(topics, YES)
    assert (len(hops), len(threads)) == (1, 1)
    assert threading.get_ident() not in threads

    many = [f"list:{key}" for key in range(2 * MOST_CALLS + 1)]
    assert await ask_all(ADA, many) == dict.fromkeys(many, YES)
    assert len(hops) == 1 + 3


async def test_a_rule_for_many_that_raises_refuses_all_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also one that returns no list of keys."""

    @allow("list", many=True)
    def may(user: object, keys: list[int]) -> None:
        return None

    assert await ask_all(ADA, ["list:1", "list:2"]) == {"list:1": FAILED, "list:2": FAILED}
    assert "the answer is no" in caplog.text


def test_views_share_a_rule_for_many() -> None:
    """It is called with one key."""

    @allow("list", many=True)
    def may(user: object, keys: list[int]) -> list[int]:
        return [1]

    assert allowed(ADA, "list:1")
    assert not allowed(ADA, "list:2")


@pytest.mark.parametrize("annotation", [int, list, tuple[int], "list[Missing]"])
def test_a_rule_for_many_must_annotate_its_keys(annotation: object) -> None:
    """Else they could not be converted."""

    def may(user: object, keys: object) -> list[int]:
        return []

    may.__annotations__["keys"] = annotation
    with pytest.raises(InvalidRule):
        allow("list", many=True)(may)


@QUICK
async def test_a_rule_that_hangs_denies(stuck: Stuck, caplog: pytest.LogCaptureFixture) -> None:
    """After RULE_TIMEOUT, with a log; its late answer is dropped."""
    allow("slow")(stuck)
    began = time.monotonic()

    answers = await ask_all(ADA, ["slow:1"])

    assert 0.4 < time.monotonic() - began < PATIENCE
    assert answers == {"slow:1": FAILED}
    assert "the rule for slow:1 has not answered within 0.5 seconds" in caplog.text
    stuck.let_go()
    assert await ask_all(ADA, ["slow:2"]) == {"slow:2": YES}
    assert answers == {"slow:1": FAILED}


@QUICK
async def test_a_rule_that_hangs_holds_up_no_other_of_its_frame(stuck: Stuck) -> None:
    """The calls after it are made in another thread; the one that hangs is made once."""
    allow("slow")(stuck)
    allow("list")(lambda user, key: True)
    slow = [f"slow:{key}" for key in range(3 * MOST_CALLS)]

    answers = await ask_all(ADA, ["list:1", *slow, "list:2"])

    assert answers == {"list:1": YES, "list:2": YES, **dict.fromkeys(slow, FAILED)}
    assert stuck.calls == 1


@pytest.mark.parametrize("is_stubborn", [False, True])
@QUICK
async def test_an_async_rule_that_hangs_denies(is_stubborn: bool) -> None:
    """Also one that goes on when it is cancelled; its late answer is dropped."""
    over = asyncio.Event()

    async def may(user: object, key: int) -> bool:
        while not over.is_set():
            try:
                await over.wait()
            except asyncio.CancelledError:
                if not is_stubborn:
                    raise
        return True

    allow("slow")(may)
    allow("list")(lambda user, key: True)

    answers = await asyncio.wait_for(ask_all(ADA, ["slow:1", "list:1"]), PATIENCE)

    over.set()
    assert answers == {"slow:1": FAILED, "list:1": YES}


@QUICK
async def test_a_rule_that_hangs_holds_up_no_other_rule(stuck: Stuck) -> None:
    """Meanwhile other rules run in further threads."""
    allow("slow")(stuck)
    allow("list")(lambda user, key: True)
    hanging = asyncio.create_task(ask_all(ADA, ["slow:1"]))
    await asyncio.sleep(0)

    assert await ask_all(ADA, ["list:1"]) == {"list:1": YES}
    assert not hanging.done()
    await hanging


@QUICK
async def test_a_rule_that_hangs_again_and_again_does_not_use_up_the_threads(
    stuck: Stuck, caplog: pytest.LogCaptureFixture
) -> None:
    """In too many threads, it is denied at once; it is called again when they are back."""
    allow("slow")(stuck)
    allow("list")(lambda user, key: True)
    most = MOST_INSIDE * conf.RULE_THREADS

    for key in range(4 * most):
        assert await ask_all(ADA, [f"slow:{key}"]) == {f"slow:{key}": FAILED}

    assert stuck.calls == most
    assert f"hangs in {most} threads already" in caplog.text
    assert await ask_all(ADA, ["list:1"]) == {"list:1": YES}
    stuck.let_go()
    async with asyncio.timeout(PATIENCE):
        while await ask_all(ADA, ["slow:1"]) != {"slow:1": YES}:
            await asyncio.sleep(0.01)


async def test_a_caller_cancelled_while_a_rule_fails_logs_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The event loop reports no exception that was never retrieved."""
    asked, go_on = threading.Event(), threading.Event()

    def may(user: object, key: str) -> bool:
        asked.set()
        go_on.wait(PATIENCE)
        return True

    allow("slow")(may)
    asking = asyncio.create_task(ask_all(ADA, ["slow:1"]))
    await asyncio.to_thread(asked.wait, PATIENCE)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    go_on.set()

    allow("list")(lambda user, key: True)
    assert await ask_all(ADA, ["list:1"]) == {"list:1": YES}
    assert not caplog.records
