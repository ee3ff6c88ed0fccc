"""A backend over any channel layer, for projects that have one.

A layer promises less than a backend must: it drops messages silently when it cannot deliver them,
and it keeps no history. So each sender numbers its messages, and the receiver resets a topic whose
numbers have a gap. A lost message without a later one is repaired by a periodic reset. A
client that reconnects is always reset. See `docs/explanation/backends.md`.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import threading
from collections import defaultdict
from collections.abc import Collection, Coroutine, Iterable, Sequence
from hashlib import sha256
from typing import Any, ClassVar

import msgspec
from channels import DEFAULT_CHANNEL_LAYER
from channels.layers import get_channel_layer
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage

from realtime.backends.base import Upstream
from realtime.backends.inbox import Inbox
from realtime.backends.outbox import OutboxPubSub
from realtime.concurrency import end, until_one_ends
from realtime.exceptions import CannotReplay, UpstreamLost
from realtime.messages.codec import StoredMessage, message_of, stored
from realtime.messages.cursors import Cursor
from realtime.messages.message import Message, Reset
from realtime.messages.topics import Topic

TYPE = "realtime.message"
POSITION = Cursor("layer", "0")
"""The only position of this backend. It proves nothing."""

_listening: set[Inbox[Message]] = set()
"""The inboxes of this process's upstreams. Event loops add and remove them; the relay reads."""

_own = threading.local()
"""The event loop of a thread that sends in a process without upstreams."""

LEAVE_TIMEOUT = 2.0
"""Seconds that a group may take to remove a channel."""

REJOIN = 3600.0
"""Seconds until groups are joined again if `net` is None: a layer drops members after a while."""

MOST_COUNTED = 100_000
"""Topics that a sender counts; after that it starts over under a new sender name."""


class ChannelLayerPubSub(OutboxPubSub):
    """Carries messages over the layer `alias` of CHANNEL_LAYERS.

    Every topic is reset each `net` seconds, which repairs losses of the layer; `None` turns that
    off. `timeout` is the time in seconds that the layer may take to send.
    """

    supports_replay: ClassVar[bool] = False

    def __init__(
        self,
        alias: str = DEFAULT_CHANNEL_LAYER,
        net: float | None = 60.0,
        timeout: float = 5.0,
        **options: object,
    ) -> None:
        super().__init__(**options)
        for name, value in (("net", net or 1), ("timeout", timeout)):
            if not isinstance(value, int | float) or value <= 0:
                raise ValueError(f"expected {name} in seconds, above 0, got {value!r}")
        self.alias = alias
        self.net = net
        self.timeout = timeout
        self._numbering = _Numbering()

    def check(self) -> list[CheckMessage]:
        """Report a layer that is not configured; warn that a layer drops messages."""
        if self.alias not in getattr(settings, "CHANNEL_LAYERS", {}):
            what = f"There is no channel layer {self.alias!r}."
            hint = "Configure it in CHANNEL_LAYERS, or name another in OPTIONS['alias']."
            return [*super().check(), checks.Error(what, hint=hint, id="realtime.E006")]
        what = (
            "A channel layer silently drops messages when it is full or away: a client may be"
            f" stale for up to {self.net} seconds, and reloads everything when it reconnects."
            if self.net
            else "A channel layer silently drops messages when it is full or away, and"
            " OPTIONS['net'] is None: a client may be stale for good."
        )
        hint = "Use the database or the Redis backend, or silence this if that does no harm."
        return [*super().check(), checks.Warning(what, hint=hint, id="realtime.W004")]

    def send(self, messages: Sequence[Message]) -> None:
        """Send messages to their groups, one after another."""
        _run(self._send(messages), self.timeout)

    def ended(self) -> None:
        """Close the relay's event loop, if it has one."""
        if (runner := getattr(_own, "runner", None)) is not None:
            del _own.runner
            runner.close()

    def ask_position(self) -> Cursor:
        """Return the only position, which proves nothing: a layer keeps no history."""
        return POSITION

    def connect(self) -> Upstream:
        """Connect the running event loop on a channel of its own."""
        return _LayerUpstream(self.alias, self.net)

    async def _send(self, messages: Sequence[Message]) -> None:
        layer = get_channel_layer(self.alias)
        for message in messages:
            sender, number = self._numbering.next(message.topic)
            text = _encode(_Numbered(sender, number, stored(message))).decode()
            await layer.group_send(group_of(message.topic), {"type": TYPE, "text": text})


class _Numbered(msgspec.Struct):
    """A message with its number: its sender's count within its topic, from 1 on."""

    sender: str
    number: int
    message: StoredMessage


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Numbered).decode


class _Numbering:
    """Numbers a process's messages. Owner: the relay's thread."""

    def __init__(self) -> None:
        self._begin()

    def next(self, topic: Topic) -> tuple[str, int]:
        if len(self._numbers) > MOST_COUNTED or self._process != os.getpid():
            self._begin()
        self._numbers[topic] += 1
        return self._sender, self._numbers[topic]

    def _begin(self) -> None:
        self._process = os.getpid()
        self._sender = secrets.token_hex(8)
        self._numbers: defaultdict[Topic, int] = defaultdict(int)


class _LayerUpstream(Upstream):
    """Receives on one channel. Owner of its state: the event loop that made it."""

    def __init__(self, alias: str, net: float | None) -> None:
        self._alias = alias
        self._net = net
        self._inbox: Inbox[Message] = Inbox()
        self._watched: dict[Topic, dict[str, int]] = {}
        """For each topic, each sender's newest number."""
        self._channel = ""
        self._starting = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        _listening.add(self._inbox)

    async def watch(self, topics: Iterable[Topic]) -> Cursor:
        """Join the topics' groups."""
        self._inbox.check()
        await self._start()
        for topic in topics:
            if topic not in self._watched:
                self._watched[topic] = {}
                await self._join(topic)
        return POSITION

    async def unwatch(self, topics: Iterable[Topic]) -> None:
        """Leave the topics' groups."""
        for topic in topics:
            if self._watched.pop(topic, None) is not None:
                await self._call(self._leave(topic))

    async def receive(self) -> Sequence[Message]:
        """Wait for messages of the watched topics."""
        while True:
            if found := [m for m in await self._inbox.take() if m.topic in self._watched]:
                return found

    def head(self) -> Cursor:
        """Return the only position."""
        return POSITION

    async def replay(self, topics: Collection[Topic], since: Cursor) -> Sequence[Message]:
        """Raise CannotReplay: a layer keeps no history."""
        raise CannotReplay(Reset.NO_REPLAY)

    async def check(self) -> None:
        """Raise UpstreamLost if messages may be missing."""
        self._inbox.check()

    async def close(self) -> None:
        """Leave all groups: a channel without a reader would fill up."""
        self._inbox.lose("the upstream was closed")
        _listening.discard(self._inbox)
        leaving = [self._leave(topic) for topic in self._watched]
        self._watched.clear()
        await asyncio.gather(*leaving, return_exceptions=True)
        if self._task is not None:
            await end(self._task)

    @property
    def _layer(self) -> Any:
        return get_channel_layer(self._alias)

    async def _start(self) -> None:
        async with self._starting:
            if self._task is None:
                self._channel = await self._call(self._layer.new_channel("realtime"))
                self._task = asyncio.create_task(self._listen(), name="realtime-layer")

    async def _join(self, topic: Topic) -> None:
        await self._call(self._layer.group_add(group_of(topic), self._channel))

    async def _leave(self, topic: Topic) -> None:
        async with asyncio.timeout(LEAVE_TIMEOUT):
            await self._layer.group_discard(group_of(topic), self._channel)

    async def _call(self, call: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await call
        except Exception as error:
            # A layer may raise any error of its server's library.
            self._inbox.lose(f"{type(error).__name__}: {error}")
            raise UpstreamLost(f"the channel layer failed: {error}") from error

    async def _listen(self) -> None:
        try:
            await until_one_ends(self._receive_all(), self._reset_periodically())
        except Exception as error:
            self._inbox.lose(f"{type(error).__name__}: {error}")

    async def _receive_all(self) -> None:
        while True:
            event = await self._layer.receive(self._channel)
            self._inbox.put(self._read(event.get("text", "")))

    def _read(self, text: str) -> list[Message]:
        """Return the message, behind a reset if an earlier message of its sender is missing."""
        try:
            numbered = _decode(text)
            message = message_of(numbered.message, POSITION)
        except ValueError as error:
            raise UpstreamLost(f"expected a message from the channel layer: {error}") from error
        senders = self._watched.get(message.topic)
        if senders is None:
            return []
        due = senders.get(numbered.sender, 0) + 1
        senders[numbered.sender] = max(numbered.number, due)
        if numbered.number <= due:
            return [message]
        return [Message(message.topic, reset=Reset.NO_REPLAY, cursor=POSITION), message]

    async def _reset_periodically(self) -> None:
        """Reset every topic to repair unnoticed losses; join again, since groups drop members."""
        while True:
            await asyncio.sleep((self._net or REJOIN) * random.uniform(0.7, 1))  # noqa: S311
            for topic in list(self._watched):
                await self._join(topic)
                if self._net and topic in self._watched:
                    self._inbox.put([Message(topic, reset=Reset.NO_REPLAY, cursor=POSITION)])


def group_of(topic: Topic) -> str:
    """Return the name of a topic's group: groups allow fewer characters than topics."""
    return f"realtime.{sha256(topic.encode()).hexdigest()}"


def _run(work: Coroutine[Any, Any, None], timeout: float) -> None:
    """Run `work` on an event loop of this process that has an upstream; else on this thread's own.

    A layer in memory lives on its receivers' loop, and is not safe to use from other threads.
    """
    loop = next((each.loop for each in list(_listening) if each.loop.is_running()), None)
    if loop is None:
        if not hasattr(_own, "runner"):
            _own.runner = asyncio.Runner()
        _own.runner.run(asyncio.wait_for(work, timeout))
        return
    sending = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        sending.result(timeout)
    except TimeoutError:
        sending.cancel()
        raise


os.register_at_fork(after_in_child=_listening.clear)
