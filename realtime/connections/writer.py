"""What goes out to one client: frames in their order, and what waits in its mailbox behind them.

While the client, or the network to it, is slow, nothing more is written: frames wait for their
turn with whoever sends them, messages wait in the mailbox, which merges them.

Some servers (daphne, and whatever stands behind a proxy) take everything and keep it in memory. So
what is on its way is bounded by the client's own answers: behind each half window goes a `ping`,
and when more than a window is not answered for, nothing more is written until it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from realtime.connections.eager import run_now
from realtime.connections.encode import encode_text, text_of
from realtime.hub.mailbox import Mailbox
from realtime.messages.message import Message
from realtime.protocol import Frame, Ping
from realtime.telemetry import counters

Write = Callable[[str], Awaitable[None]]

MOST_PINGS = 100
"""Pings that may be unanswered; who answers a later one has answered those before it."""


class Outgoing:
    """The writing half of a connection. Owner: its event loop; one write is under way at a time.

    `write(text)` hands a frame to the server; `told(messages)` is called before messages go out;
    `failed(error)` when the server does not take them: what was taken out of the mailbox is lost
    then, so the connection must end.
    """

    # One for each client: without a dict for its attributes it takes less.
    __slots__ = (
        "_answered",
        "_current",
        "_ended",
        "_failed",
        "_frames",
        "_mailbox",
        "_pinged",
        "_pings",
        "_seq",
        "_told",
        "_window",
        "_write",
        "_writing",
        "sent",
    )

    def __init__(
        self,
        mailbox: Mailbox,
        write: Write,
        told: Callable[[list[Message]], None],
        failed: Callable[[BaseException], None],
        window: int,
    ) -> None:
        self._mailbox = mailbox
        self._write = write
        self._told = told
        self._failed = failed
        self._window = window
        # Not a deque: an empty one takes more memory than all the rest of an idle connection's.
        self._frames: list[_Queued] = []
        self._current: _Queued | None = None
        """The one that is being written."""
        self._writing: asyncio.Task[None] | None = None
        self._ended = False
        self.sent = 0
        """Characters handed to the server since the beginning."""
        self._answered = 0
        """How many of them had been sent before a ping that was answered."""
        self._pings: dict[int, int] = {}
        """Pings that are not answered, and what had been sent before each."""
        self._seq = 0
        self._pinged = 0
        """What had been sent up to the last ping."""

    @property
    def is_shut(self) -> bool:
        """Is more on its way than the client has answered for?"""
        return self.sent - self._answered > self._window

    @property
    def waiting(self) -> int:
        """How many frames wait for their turn."""
        return len(self._frames)

    async def send(self, frame: Frame) -> None:
        """Send a frame; return when the server has taken it. Nothing is sent after the end."""
        if self._ended:
            return
        queued = self._queue(frame)
        self.flush()
        if not queued.is_done:
            queued.taken = asyncio.get_running_loop().create_future()
            await queued.taken

    def ping(self) -> None:
        """Ask the client whether it is there, and how far it has read."""
        if not self._ended:
            self._queue_ping()
            self.flush()

    def ponged(self, seq: int) -> bool:
        """Note that the client has read all before that ping; say whether it was one of ours."""
        if seq not in self._pings:
            return False
        self._answered = max(self._answered, self._pings[seq])
        for older in [known for known in self._pings if known <= seq]:
            del self._pings[older]
        self.flush()
        return True

    def flush(self) -> None:
        """Write what waits, unless something is being written; it goes on by itself then."""
        if self._writing is not None:
            return
        try:
            while not self._ended and (text := self._next()) is not None:
                # Before it is written: one that waits for the network counts too.
                self.sent += len(text)
                counters.frames += 1
                counters.characters += len(text)
                self._writing = run_now(self._write(text))
                if self._writing is not None:
                    self._writing.add_done_callback(self._written)
                    return
                self._taken()
        except BaseException as error:
            self._taken()
            self.end()
            self._failed(error)

    def end(self) -> None:
        """Write nothing more; whoever waits to send need not wait any longer."""
        self._ended = True
        self._let_go()

    async def close(self) -> None:
        """End, and wait for what is being written to be given up."""
        self.end()
        writing = self._writing
        if writing is not None:
            writing.cancel()
            await asyncio.wait([writing])

    def _written(self, task: asyncio.Task[None]) -> None:
        self._writing = None
        self._taken()
        if task.cancelled():
            self.end()
        elif (error := task.exception()) is not None:
            self.end()
            self._failed(error)
        else:
            self.flush()

    def _next(self) -> str | None:
        """Take what is to be written now; None if that is nothing."""
        if not self._frames and self.sent - self._pinged > self._window // 2:
            # Behind frames too: what shuts the window must be asked about.
            self._queue_ping()
        if self._frames:
            self._current = self._frames.pop(0)
            return self._current.text
        if self.is_shut or not (messages := self._mailbox.take_now()):
            return None
        self._told(messages)
        return text_of(messages)

    def _taken(self) -> None:
        """Tell who waits for the frame that was being written that it is out of our hands."""
        if self._current is not None:
            self._current.done()
            self._current = None

    def _queue(self, frame: Frame) -> _Queued:
        queued = _Queued(encode_text(frame))
        self._frames.append(queued)
        return queued

    def _queue_ping(self) -> None:
        self._seq += 1
        self._pings[self._seq] = self.sent
        if len(self._pings) > MOST_PINGS:
            del self._pings[next(iter(self._pings))]
        # What comes behind it is counted, not the ping itself.
        self._pinged = self.sent + len(self._queue(Ping(self._seq)).text)

    def _let_go(self) -> None:
        while self._frames:
            self._frames.pop(0).done()


class _Queued:
    """A frame that waits for its turn, and whoever waits with it."""

    __slots__ = ("is_done", "taken", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.is_done = False
        self.taken: asyncio.Future[None] | None = None

    def done(self) -> None:
        self.is_done = True
        if self.taken is not None and not self.taken.done():
            self.taken.set_result(None)
