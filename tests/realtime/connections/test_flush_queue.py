"""Mailboxes are written in a later turn of the event loop, which stays responsive."""

from __future__ import annotations

import asyncio
import time

from realtime.connections.flush_queue import SLICE, FlushQueue


class Writer:
    """Records its flushes."""

    def __init__(self, written: list[Writer], seconds: float = 0) -> None:
        self._written = written
        self._seconds = seconds

    def flush(self) -> None:
        time.sleep(self._seconds)
        self._written.append(self)


async def done(flushing: FlushQueue) -> None:
    async with asyncio.timeout(30):
        while flushing._is_planned:
            await asyncio.sleep(0)


async def test_a_writer_added_twice_writes_once() -> None:
    """And only after the code that added it."""
    flushing, written = FlushQueue(), []
    one, two = Writer(written), Writer(written)

    for each in (one, two, one):
        flushing.add(each)

    assert written == []
    await done(flushing)
    assert written == [one, two]


async def test_a_writer_added_while_it_writes_writes_again() -> None:
    """Messages that arrive meanwhile are written too."""
    flushing, written = FlushQueue(), []

    class Again(Writer):
        def flush(self) -> None:
            super().flush()
            if len(written) < 3:
                flushing.add(self)

    flushing.add(Again(written))

    await done(flushing)
    assert len(written) == 3


async def test_other_callbacks_run_between_many_writes() -> None:
    """A message for thousands of clients must not block the event loop."""
    flushing, written = FlushQueue(), []
    for _ in range(100):
        flushing.add(Writer(written, SLICE / 10))
    turns = []

    while flushing._is_planned:
        turns.append(len(written))
        await asyncio.sleep(0)

    assert len(written) == 100
    assert len(set(turns)) > 3
