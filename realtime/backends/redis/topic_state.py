"""The state of a watched topic: how far it was received, and its most recent messages."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from realtime.backends.redis.codec import SentMessage, SinceReply
from realtime.backends.redis.positions import ServerPosition
from realtime.messages.message import Reset
from realtime.messages.topics import Topic

MOST_HELD = 10_000
"""Pushes of a topic that wait for the reply of its server."""


class Gap(Exception):
    """A message was pushed, and did not arrive."""


class TopicState:
    """A topic that an upstream watches. Owner: the event loop.

    First its channel is subscribed, and pushes are held. Then the server is asked for the topic's
    messages since `since`. Once it has answered, `release()` returns both, in order, and the topic
    is live from there on. A new connection starts all of this over.

    There may be as many of these as clients: see decision 13 for its memory.
    """

    def __init__(self, topic: Topic, since: ServerPosition | None) -> None:
        self.topic = topic
        self.since = since
        """Messages behind this are sent on.

        None stands for the server's position at the connect.
        """
        self.newest = 0
        """The number of the message that was sent on last."""
        self.was_live = False
        """True if it was live before the connection broke.

        It is released then without a `watch()`.
        """
        self.generation = 0
        """How often it started over: a reply to an earlier question is void."""
        self._owes_reset = False
        self._answer: SinceReply | None = None
        self._answered: asyncio.Event | None = None
        """Made by the first task that waits for the reply."""
        self._held: list[SentMessage] | None = []
        self._recent: list[SentMessage] = []
        self._known_since: ServerPosition | None = None
        """Messages behind this are in `_recent`."""

    @property
    def is_live(self) -> bool:
        """True if its pushes are sent on as they arrive."""
        return self._held is None

    @property
    def is_answered(self) -> bool:
        """True if it can be released, or was."""
        return self._answer is not None or self.is_live

    async def wait_for_answer(self) -> None:
        """Wait for a reply; it may be void by the time that this returns."""
        if not self.is_answered:
            self._answered = self._answered or asyncio.Event()
            await self._answered.wait()

    def start_over(self, since: ServerPosition | None) -> None:
        """Hold pushes until a server was asked again; for a live topic from `since` on.

        The server is asked again for held pushes too, from the earlier position.
        """
        if self.is_live:
            self.was_live = True
            self.since = since
        self.generation += 1
        self._answer, self._held, self._known_since = None, [], None
        self._recent.clear()

    def owe_reset(self) -> None:
        """Release without a `watch()`, and with a reset: no caller waits for it any longer."""
        self.was_live = self._owes_reset = True

    def answer(self, answer: SinceReply) -> None:
        """Take the server's reply."""
        self._answer = answer
        self.wake()

    def wake(self) -> None:
        """Wake the tasks that wait for a reply: there is one, or there will be none."""
        if self._answered is not None:
            self._answered.set()
            self._answered = None

    def receive(self, sent: SentMessage) -> bool:
        """Take a push; return True if it is to be sent on now.

        Raise Gap if one before it is missing.
        """
        if self._held is not None:
            self._held.append(sent)
            if len(self._held) > MOST_HELD:
                raise Gap(f"more than {MOST_HELD} messages to {self.topic} waited")
            return False
        self._follow(sent)
        return True

    def release(self) -> tuple[str, list[SentMessage]]:
        """Go live. Return the reason of a reset, or "", and the messages to send behind it."""
        answer, held = self._answer, self._held
        self._answer = None
        assert answer is not None
        assert held is not None
        reason = answer.reason or (Reset.BACKEND_RESTART if self._owes_reset else "")
        due = [each for each in answer.sent if each.number > self.newest]
        # Another server may count from any number.
        self.newest = answer.newest if answer.reason else max(self.newest, answer.newest)
        self._held, self.was_live, self._owes_reset = None, False, False
        self._known_since = answer.position if answer.reason else self.since
        self._recent.extend(map(_without_extra, due))
        for sent in held:
            if sent.number > self.newest:
                self._follow(sent)
                due.append(sent)
        return reason, due

    def recent(self, since: ServerPosition) -> list[SentMessage] | None:
        """Return the messages since a position; None if it is older than this memory."""
        known = self._known_since
        if known is None or not self.is_live or not since.is_behind(known):
            return None
        return [each for each in self._recent if not since.covers(each.commands, each.time)]

    def forget(self) -> None:
        """Drop the oldest message."""
        if self._recent and self._known_since is not None:
            self._known_since = self._recent.pop(0).behind(self._known_since.server)

    def _follow(self, sent: SentMessage) -> None:
        # A server that has dropped earlier messages says 0; so does a server that never had any.
        if not sent.before <= self.newest < sent.number:
            raise Gap(
                f"expected the message after {self.newest} to {self.topic},"
                f" got {sent.number}, whose previous one is {sent.before}"
            )
        self.newest = sent.number
        self._recent.append(_without_extra(sent))


def _without_extra(sent: SentMessage) -> SentMessage:
    """Return the message to remember: `extra` is large, and clients never receive it."""
    message = sent.message
    return sent if message.extra is None else sent._replace(message=replace(message, extra=None))


MOST_IN_MEMORY = 20_000
"""Messages, and rows they name, that a node remembers; a message with ten rows counts eleven."""


class MemoryBudget:
    """Bounds the messages that a node's topics remember together. Owner: the node.

    The oldest message of all topics is dropped first: a few busy topics may use all the room.
    """

    def __init__(self) -> None:
        self._order: deque[tuple[TopicState, int]] = deque()
        self._size = 0

    def add(self, watched: TopicState, received: Iterable[SentMessage]) -> None:
        """Count messages that a topic remembers now; drop the oldest of all topics."""
        for sent in received:
            size = 1 + sum(map(len, sent.message.changes.values()))
            self._order.append((watched, size))
            self._size += size
        while self._size > MOST_IN_MEMORY:
            oldest, size = self._order.popleft()
            self._size -= size
            oldest.forget()

    def clear(self) -> None:
        """Forget all counts, as the topics have forgotten their messages."""
        self._order.clear()
        self._size = 0
