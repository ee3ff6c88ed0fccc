"""Tasks that end together, and pauses between attempts."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from unittest import mock

import pytest

from realtime import concurrency
from realtime.concurrency import Backoff, until_one_ends
from realtime.exceptions import UpstreamLost


class Work:
    """Runs until it is told how to end, and records whether it was cancelled."""

    def __init__(self) -> None:
        self.end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.was_cancelled = False

    async def run(self) -> None:
        try:
            await asyncio.shield(self.end)
        except asyncio.CancelledError:
            self.was_cancelled = not self.end.cancelled()
            raise


async def test_the_error_of_one_ends_all() -> None:
    """And is raised."""
    one, other = Work(), Work()
    one.end.set_exception(ZeroDivisionError())

    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(until_one_ends(one.run(), other.run()), 30)

    assert other.was_cancelled


@pytest.mark.parametrize("how", ["returned", "cancelled"])
async def test_a_task_that_just_ends_raises(how: str) -> None:
    """Otherwise messages would be lost silently."""
    one, other = Work(), Work()
    if how == "returned":
        one.end.set_result(None)
    else:
        one.end.cancel()

    with pytest.raises(UpstreamLost, match="must not end"):
        await asyncio.wait_for(until_one_ends(one.run(), other.run()), 30)

    assert other.was_cancelled


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again() -> None:
    """A library may do so: before Python 3.12 `asyncio.wait_for` does."""

    async def forgets() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    other = Work()
    other.end.set_exception(ZeroDivisionError())

    with (
        mock.patch.object(concurrency, "RECANCEL_AFTER", 0.01),
        pytest.raises(ZeroDivisionError),
    ):
        await asyncio.wait_for(until_one_ends(forgets(), other.run()), 30)


async def test_a_cancellation_cancels_all() -> None:
    """No task remains running."""
    works = [Work(), Work()]
    task = asyncio.create_task(until_one_ends(*(work.run() for work in works)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 30)

    assert [work.was_cancelled for work in works] == [True, True]


def test_pauses_are_drawn_below_a_ceiling_that_doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the longest; a success begins anew."""
    monkeypatch.setattr("random.uniform", lambda low, high: (low, high))
    backoff = Backoff(0.5, 3.0)

    assert [backoff.next() for _ in range(5)] == [(0, 0.5), (0, 1.0), (0, 2.0), (0, 3.0), (0, 3.0)]
    backoff.reset()
    assert backoff.next() == (0, 0.5)
