"""A coroutine that is run at once, as far as it goes."""

from __future__ import annotations

import asyncio

import pytest

from realtime.stepping import run_now
from tests.realtime.live_client import PATIENCE


async def test_what_does_not_wait_is_done_at_once() -> None:
    """Without a task."""
    done = []

    async def work() -> None:
        done.append(1)

    assert run_now(work()) is None
    assert done == [1]


async def test_what_it_raises_before_it_waits_is_raised_at_once() -> None:
    """As by a function."""

    async def work() -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        run_now(work())


async def test_what_waits_goes_on_in_a_task() -> None:
    """From where it was; what it waits for may be anything, again and again."""
    gate: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    seen: list[object] = []

    async def work() -> None:
        seen.append(await gate)
        await asyncio.sleep(0)
        # From here on it runs in a task of its own.
        async with asyncio.timeout(PATIENCE):
            await asyncio.sleep(0.001)
        seen.append("end")

    task = run_now(work())
    assert task is not None
    gate.set_result(7)
    await asyncio.wait_for(task, PATIENCE)

    assert seen == [7, "end"]


async def test_a_deadline_that_passes_in_it_ends_its_own_wait() -> None:
    """And not whoever has begun it."""
    seen = []

    async def work() -> None:
        await asyncio.sleep(0)
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            seen.append("late")

    task = run_now(work())
    assert task is not None
    await asyncio.wait_for(task, PATIENCE)

    assert seen == ["late"]


async def test_what_it_raises_later_is_the_tasks() -> None:
    """An error of what it waits for is its own to handle first."""
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def work() -> None:
        try:
            await gate
        except OSError as error:
            raise ValueError("translated") from error

    task = run_now(work())
    assert task is not None
    gate.set_exception(OSError())

    with pytest.raises(ValueError, match="translated"):
        await asyncio.wait_for(task, PATIENCE)


@pytest.mark.parametrize("steps", [0, 1, 2])
async def test_a_task_that_is_cancelled_lets_it_clean_up(steps: int) -> None:
    """Also one that was cancelled before its first step."""
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = run_now(work())
    assert task is not None
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert task.cancelled()
    del task
    await asyncio.wait_for(ended.wait(), PATIENCE)
