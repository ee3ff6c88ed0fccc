"""Write to one client: frames in their order, then the messages of its mailbox.

While the client or its network is slow, the writer does not write. Frames wait in its queue,
together with the tasks that send them; messages wait in the mailbox, which merges them.

Some servers (daphne, and any behind a proxy) accept everything and buffer it. So the client's own
answers bound the data on its way: the writer sends a `ping` after each half window, and writes no
messages while more than a window is unanswered.
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
"""Unanswered pings that are remembered; an answer to one counts for the earlier ones too."""


class Outgoing:
    """Writes a connection's frames and messages. Owner: its event loop; one write at a time.

    `write(text)` passes a frame to the server. `told(messages)` is called before messages are
    written. `failed(error)` is called when a write raises: messages taken from the mailbox are
    lost then, so the connection must end.
    """

    # See decision 13.
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
        # A list, not a deque: see decision 13.
        self._frames: list[_Queued] = []
        self._current: _Queued | None = None
        """The frame that is being written."""
        self._writing: asyncio.Task[None] | None = None
        self._ended = False
        self.sent = 0
        """Characters passed to the server so far."""
        self._answered = 0
        """The value of `sent` at the last ping that the client answered."""
        self._pings: dict[int, int] = {}
        """Unanswered ping -> the value of `sent` when it was queued."""
        self._seq = 0
        self._pinged = 0
        """The value of `sent` behind the last ping."""

    @property
    def is_shut(self) -> bool:
        """Whether more than a window is unanswered, so that messages wait."""
        return self.sent - self._answered > self._window

    @property
    def waiting(self) -> int:
        """The number of frames in the queue."""
        return len(self._frames)

    async def send(self, frame: Frame) -> None:
        """Send a frame; return when the server has taken it. After `end()` it is dropped."""
        if self._ended:
            return
        queued = self._queue(frame)
        self.flush()
        if not queued.is_done:
            queued.taken = asyncio.get_running_loop().create_future()
            await queued.taken

    def ping(self) -> None:
        """Send a ping, to learn whether the client is alive and how far it has read."""
        if not self._ended:
            self._queue_ping()
            self.flush()

    def ponged(self, seq: int) -> bool:
        """Record that the client has read up to this ping; return whether the ping is known."""
        if seq not in self._pings:
            return False
        self._answered = max(self._answered, self._pings[seq])
        for older in [known for known in self._pings if known <= seq]:
            del self._pings[older]
        self.flush()
        return True

    def flush(self) -> None:
        """Write frames, then messages, unless a write waits: its end continues with them."""
        if self._writing is not None:
            return
        try:
            while not self._ended and (text := self._next()) is not None:
                # Counted before the write: a frame that waits for the network counts too.
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
        """Stop writing, and release the tasks that wait in `send()`."""
        self._ended = True
        self._let_go()

    async def close(self) -> None:
        """End, and wait until the current write is cancelled."""
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
        """Return the next text to write; None if there is none."""
        if not self._frames and self.sent - self._pinged > self._window // 2:
            # After frames too, not only after messages: they count for the window.
            self._queue_ping()
        if self._frames:
            self._current = self._frames.pop(0)
            return self._current.text
        if self.is_shut or not (messages := self._mailbox.take_now()):
            return None
        self._told(messages)
        return text_of(messages)

    def _taken(self) -> None:
        """Release the task that waits for the frame that was written."""
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
        # The next half window is counted from behind the ping.
        self._pinged = self.sent + len(self._queue(Ping(self._seq)).text)

    def _let_go(self) -> None:
        while self._frames:
            self._frames.pop(0).done()


class _Queued:
    """A frame in the queue, with the future of the task that sends it."""

    __slots__ = ("is_done", "taken", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.is_done = False
        self.taken: asyncio.Future[None] | None = None

    def done(self) -> None:
        self.is_done = True
        if self.taken is not None and not self.taken.done():
            self.taken.set_result(None)
