"""Coroutines that start without a task, and get one only when they wait."""

from __future__ import annotations

import asyncio
import sys

import pytest

from realtime.connections.eager import run_now


async def is_late(seen: list[str]) -> None:
    """Wait for an event that never comes, up to a timeout of its own."""
    try:
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()
    except TimeoutError:
        seen.append("late")


async def test_a_coroutine_that_does_not_wait_is_done_at_once() -> None:
    """No task is made for it."""
    done = []

    async def work() -> None:
        done.append(True)

    assert run_now(work()) is None
    assert done == [True]


async def test_a_coroutine_that_waits_goes_on_as_a_task() -> None:
    """For futures, events, locks and sleeps, one after another."""
    steps: list[object] = []
    opened, lock = asyncio.Event(), asyncio.Lock()

    async def work() -> None:
        steps.append(await asyncio.sleep(0, "slept"))
        steps.append(await opened.wait())
        async with lock:
            steps.append(await asyncio.wait_for(asyncio.sleep(0.001, "in time"), 30))

    task = run_now(work())
    assert task is not None
    opened.set()

    await asyncio.wait_for(task, 30)
    assert steps == ["slept", True, "in time"]


async def test_any_awaitable_works() -> None:
    """A future that is done, and one that is not."""
    done, waiting = asyncio.Future[None](), asyncio.Future[None]()
    done.set_result(None)

    assert run_now(done) is None
    task = run_now(waiting)
    assert task is not None
    waiting.set_result(None)
    await asyncio.wait_for(task, 30)


async def test_an_error_before_the_first_wait_is_raised_here() -> None:
    """A later one is raised by the task."""

    async def early() -> None:
        raise ZeroDivisionError

    async def late() -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_now(early())
    task = run_now(late())
    assert task is not None
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(task, 30)


@pytest.mark.parametrize("begun", [False, True])
async def test_a_cancelled_task_cancels_its_coroutine(begun: bool) -> None:
    """Also before the task's first step: the coroutine is closed and cleans up."""
    cleaned = []
    never = asyncio.Event()

    async def work() -> None:
        try:
            await never.wait()
        finally:
            cleaned.append(True)

    task = run_now(work())
    assert task is not None
    if begun:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert task.cancelled()
    assert cleaned == [True]


async def test_an_error_of_an_awaited_future_reaches_the_coroutine() -> None:
    """It may handle the error and go on."""
    failing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    seen = []

    async def work() -> None:
        try:
            await failing
        except ZeroDivisionError:
            seen.append("caught")
        await asyncio.sleep(0)
        seen.append("went on")

    task = run_now(work())
    assert task is not None
    failing.set_exception(ZeroDivisionError())

    await asyncio.wait_for(task, 30)
    assert seen == ["caught", "went on"]


async def test_a_timeout_inside_ends_its_own_wait() -> None:
    """And not the task that called it."""
    seen: list[str] = []

    async def work() -> None:
        await asyncio.sleep(0)
        await is_late(seen)

    task = run_now(work())
    assert task is not None
    await asyncio.wait_for(task, 30)

    assert seen == ["late"]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="needs the eager tasks of Python 3.12")
async def test_a_timeout_may_start_before_the_first_wait() -> None:
    """Software between an application and its server does that."""
    seen: list[str] = []

    task = run_now(is_late(seen))
    assert task is not None
    await asyncio.wait_for(task, 30)

    assert seen == ["late"]
