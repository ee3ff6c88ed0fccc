"""What is known of a watched topic: how far it was heard, and what was heard last."""

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
"""Pushes that wait for what came before them."""


class Gap(Exception):
    """A message was pushed, and did not arrive."""


class TopicState:
    """A topic that an upstream watches. Owner: the event loop.

    First its channel is subscribed and pushes are held; then the server is asked what the topic
    was sent since `since`; when that is `answered`, `release()` gives both, in their order, and
    from there on the topic is live. After a new connection all of that begins anew.

    There may be as many as there are clients: no deque, nor an event that nobody waits for, each of
    which takes more memory than all the rest.
    """

    def __init__(self, topic: Topic, since: ServerPosition | None) -> None:
        self.topic = topic
        self.since = since
        """From here on its messages are told; None for "from where its server is found"."""
        self.newest = 0
        """The number of the message that was told last."""
        self.was_live = False
        """Was it live before the connection broke? Then it is released without being asked for."""
        self.generation = 0
        """How often it began anew: what was asked before that is no answer."""
        self._owes_reset = False
        self._answer: SinceReply | None = None
        self._answered: asyncio.Event | None = None
        """Made by the first who waits for the answer."""
        self._held: list[SentMessage] | None = []
        self._recent: list[SentMessage] = []
        self._known_since: ServerPosition | None = None
        """What came behind this is in `_recent`."""

    @property
    def is_live(self) -> bool:
        """Are its pushes told as they come?"""
        return self._held is None

    @property
    def is_answered(self) -> bool:
        """Can it be released, or was it?"""
        return self._answer is not None or self.is_live

    async def wait_for_answer(self) -> None:
        """Wait until there is an answer; it may be void by the time that this returns."""
        if not self.is_answered:
            self._answered = self._answered or asyncio.Event()
            await self._answered.wait()

    def start_over(self, since: ServerPosition | None) -> None:
        """Hold pushes until a server was asked again, one that is live from `since` on.

        What was held is asked for again too: from where it was to be told from before.
        """
        if self.is_live:
            self.was_live = True
            self.since = since
        self.generation += 1
        self._answer, self._held, self._known_since = None, [], None
        self._recent.clear()

    def owe_reset(self) -> None:
        """Be released without being asked for, and with a reset: nobody waits for it any longer."""
        self.was_live = self._owes_reset = True

    def answer(self, answer: SinceReply) -> None:
        """Take what the server says of it."""
        self._answer = answer
        self.wake()

    def wake(self) -> None:
        """Let those who wait for an answer look again: there is one, or will be none."""
        if self._answered is not None:
            self._answered.set()
            self._answered = None

    def receive(self, sent: SentMessage) -> bool:
        """Take a push; say whether it is to be told now. Raise Gap if one before it is missing."""
        if self._held is not None:
            self._held.append(sent)
            if len(self._held) > MOST_HELD:
                raise Gap(f"more than {MOST_HELD} messages to {self.topic} waited")
            return False
        self._follow(sent)
        return True

    def release(self) -> tuple[str, list[SentMessage]]:
        """Go live. Return the reason of a reset, or "", and what is to be told behind that."""
        answer, held = self._answer, self._held
        self._answer = None
        assert answer is not None
        assert held is not None
        reason = answer.reason or (Reset.BACKEND_RESTART if self._owes_reset else "")
        told = [each for each in answer.sent if each.number > self.newest]
        # Another server may count from anywhere.
        self.newest = answer.newest if answer.reason else max(self.newest, answer.newest)
        self._held, self.was_live, self._owes_reset = None, False, False
        self._known_since = answer.position if answer.reason else self.since
        self._recent.extend(map(_without_extra, told))
        for sent in held:
            if sent.number > self.newest:
                self._follow(sent)
                told.append(sent)
        return reason, told

    def recent(self, since: ServerPosition) -> list[SentMessage] | None:
        """Return what came since a position; None if it is not known here."""
        known = self._known_since
        if known is None or not self.is_live or not since.is_behind(known):
            return None
        return [each for each in self._recent if not since.covers(each.commands, each.time)]

    def forget(self) -> None:
        """Keep its oldest message no more."""
        if self._recent and self._known_since is not None:
            self._known_since = self._recent.pop(0).behind(self._known_since.server)

    def _follow(self, sent: SentMessage) -> None:
        # A server that has forgotten what came before says 0; so does one that never knew any.
        if not sent.before <= self.newest < sent.number:
            raise Gap(
                f"expected what follows message {self.newest} to {self.topic},"
                f" got {sent.number}, which follows {sent.before}"
            )
        self.newest = sent.number
        self._recent.append(_without_extra(sent))


def _without_extra(sent: SentMessage) -> SentMessage:
    """Return what is remembered: images are large, and clients are never given them."""
    message = sent.message
    return sent if message.extra is None else sent._replace(message=replace(message, extra=None))


MOST_IN_MEMORY = 20_000
"""Messages, and rows that they name, that a node remembers; a message with ten rows is eleven."""


class MemoryBudget:
    """The order in which the topics of a node have heard what they remember. Owner: the node.

    Of all of them together the oldest is forgotten first: a few busy topics may have all the room.
    """

    def __init__(self) -> None:
        self._order: deque[tuple[TopicState, int]] = deque()
        self._size = 0

    def add(self, watched: TopicState, heard: Iterable[SentMessage]) -> None:
        """Note what a topic remembers since now; let go of the oldest of all."""
        for sent in heard:
            size = 1 + sum(map(len, sent.message.changes.values()))
            self._order.append((watched, size))
            self._size += size
        while self._size > MOST_IN_MEMORY:
            oldest, size = self._order.popleft()
            self._size -= size
            oldest.forget()

    def clear(self) -> None:
        """Forget that there was anything, as the topics have."""
        self._order.clear()
        self._size = 0
