"""Identify clients that connect together by one query for their sessions and one for their users.

A batch consists of the clients that connected while the previous batch was looked up. A client that
connects alone does not wait for others.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from asgiref.sync import SyncToAsync

from realtime.access.identity import Identity, Scope, identify
from realtime.access.identity_queries import batch_key, identify_many
from realtime.access.rule_threads import in_time
from realtime.concurrency import end

logger = logging.getLogger("realtime.access")

MOST_IN_BATCH = 200
"""Clients of one batch at most; such a batch takes some milliseconds of one thread."""

OVERTAKE_AFTER = 0.1
"""Seconds after which the next batch begins although the previous one has not ended."""

MOST_GROUPS = 4
"""Groups of equal contexts of one batch that are looked up together; further clients are alone."""


@dataclass(slots=True, eq=False)
class _Asked:
    """A client that waits for its identity."""

    scope: Scope
    key: str
    context: contextvars.Context
    found: asyncio.Future[Identity]


class IdentityLoader:
    """Identifies clients, together where the result is the same. Owner: an event loop.

    A client that leaves cancels only its own future. If a batch raises or times out, each of its
    clients is looked up alone. If a task of the loader dies, the clients that it serves get an
    error; the next client starts another task.
    """

    def __init__(self) -> None:
        self._waiting: list[_Asked] = []
        self._running: asyncio.Task[None] | None = None
        self._looking: set[asyncio.Task[None]] = set()

    async def identify(self, scope: Scope) -> Identity:
        """Return the identity of a connection; raise TimeoutError if a step takes too long."""
        key = batch_key(scope)
        if key is not None:
            asked = _Asked(scope, key, _context(), asyncio.get_running_loop().create_future())
            self._waiting.append(asked)
            if self._running is None:
                self._running = asyncio.create_task(self._run(), name="realtime-identify")
            found = await asked.found
        else:
            found = await identify(scope)
        found.loader = self
        return found

    async def close(self) -> None:
        """End all look-ups; clients that wait for one get an error."""
        while tasks := [*self._looking, *([self._running] if self._running else [])]:
            await end(*tasks)

    async def _run(self) -> None:
        try:
            while self._waiting:
                asked, self._waiting = self._waiting[:MOST_IN_BATCH], self._waiting[MOST_IN_BATCH:]
                looking = [self._begin(group) for group in _groups(asked)]
                if looking:
                    await asyncio.wait(looking, timeout=OVERTAKE_AFTER)
        finally:
            self._running = None
            waiting, self._waiting = self._waiting, []
            _give_up(waiting)

    def _begin(self, group: Sequence[_Asked]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._look_up(group), context=group[0].context)
        self._looking.add(task)
        task.add_done_callback(partial(self._ended, group))
        return task

    def _ended(self, group: Sequence[_Asked], task: asyncio.Task[None]) -> None:
        self._looking.discard(task)
        error = None if task.cancelled() else task.exception()
        # In a group, clients to be looked up alone get their identity from other tasks.
        if len(group) == 1 or error is not None or task.cancelled():
            _give_up(group, error)

    async def _look_up(self, group: Sequence[_Asked]) -> None:
        if len(group) == 1:
            _answer(group[0], await identify(group[0].scope))
            return
        for asked, identity in zip(group, await _look_up_together(group), strict=True):
            if identity is not None:
                _answer(asked, identity)
            elif not asked.found.done():
                self._begin([asked])


async def _look_up_together(group: Sequence[_Asked]) -> Sequence[Identity | None]:
    try:
        return await in_time(identify_many, [(each.scope, each.key) for each in group])
    except Exception:
        what = "cannot look up %d clients together; each is looked up alone"
        logger.warning(what, len(group), exc_info=True)
        return [None] * len(group)


def _context() -> contextvars.Context:
    """Return the context in which a client is looked up: a middleware may have set variables."""
    context = contextvars.copy_context()
    # This variable names the thread for a request's sync code, so it differs in each HTTP request.
    # The look-up runs in a thread of its own.
    context.run(SyncToAsync.thread_sensitive_context.set, None)  # type: ignore[arg-type]
    return context


def _groups(asked: Sequence[_Asked]) -> list[list[_Asked]]:
    """Group the clients that still wait: those with equal contexts can be looked up together."""
    groups: list[list[_Asked]] = []
    for each in asked:
        if each.found.done():
            continue
        for group in groups[:MOST_GROUPS]:
            if group[0].context == each.context:
                group.append(each)
                break
        else:
            groups.append([each])
    return groups


def _answer(asked: _Asked, identity: Identity) -> None:
    if not asked.found.done():
        asked.found.set_result(identity)


def _give_up(group: Sequence[_Asked], error: BaseException | None = None) -> None:
    for each in group:
        if not each.found.done():
            each.found.set_exception(error or RuntimeError("a look-up was cancelled"))
