"""The base of backends outside the project's database."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from time import monotonic

from django.core import checks
from django.core.checks import CheckMessage

from realtime.backends import get_pubsub
from realtime.backends.base import PubSub, nothing_to_do
from realtime.backends.outage import Outage
from realtime.backends.outbox import process, rows
from realtime.backends.outbox.queue import Stored, Unstored
from realtime.concurrency import off_loop
from realtime.conf import conf
from realtime.messages.cursors import NOWHERE, Cursor
from realtime.messages.message import Message

logger = logging.getLogger("realtime.outbox")

PAUSE = 1.0
"""Seconds for which a backend that has not answered is not asked again: it may hang, and every page
would wait for that."""


class Positions:
    """Gives positions, or NOWHERE while the backend is away. Any thread may ask.

    A page that stands nowhere is reset when it subscribes, which it does once the backend is back:
    it has read what was committed, and reads once more what it can prove nothing about.
    """

    def __init__(self) -> None:
        self._outage = Outage(
            logger,
            away="the backend gives no position; pages are reset later",
            back="the backend gives positions again",
        )
        self._not_before = 0.0

    def take(self, ask: Callable[[], Cursor]) -> Cursor:
        """Return what `ask()` returns, or NOWHERE if it raises or has just raised."""
        if monotonic() < self._not_before:
            return NOWHERE
        if self._outage.lasts:
            # Whoever comes while this one asks does not wait for the answer too.
            self._not_before = monotonic() + PAUSE
        try:
            found = ask()
        except Exception as error:
            self._outage.begin(error)
            self._not_before = monotonic() + PAUSE
            return NOWHERE
        self._not_before = 0.0
        self._outage.end()
        return found


class OutboxPubSub(PubSub):
    """Sends through the outbox. A subclass says how: `send()`, `ask_position()`, `connect()`."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self._positions = Positions()

    @abstractmethod
    def send(self, messages: Sequence[Message]) -> None:
        """Hand messages to the backend, in this order; return once it has taken them all.

        Called in the relay's thread alone, with some hundred messages at most. It may block, for a
        few seconds: a backend that hangs needs a timeout here. Raise whatever came when the backend
        did not take them, or may not have; all are sent again then, with growing pauses. Raise
        InvalidMessage for what it will never take, such as a message too large for it: a reset of
        the topic is sent instead.
        """

    @abstractmethod
    def ask_position(self) -> Cursor:
        """Ask the backend for a cursor for "now", good for any topic.

        Called for each page that is shown, in any thread. Raise whatever came when the backend does
        not answer; within a second or two, since that page waits.
        """

    def position(self) -> Cursor:
        """Return the backend's "now"; one that proves nothing while the backend is away."""
        return self._positions.take(self.ask_position)

    async def aposition(self) -> Cursor:
        """Return the backend's "now"; a backend that hangs holds up no thread that others need."""
        return await off_loop(self.position)

    def ended(self) -> None:
        """Let go of what `send()` keeps in the relay's thread, which ends."""

    def check(self) -> list[CheckMessage]:
        """Say what is lost where the outbox was switched off."""
        if conf.OUTBOX:
            return []
        what = (
            "The outbox is switched off: a process that ends right behind a commit loses its"
            " message, and so does one that ends while the backend is away. Nobody is told."
        )
        hint = "Remove REALTIME['OUTBOX'], or silence this if stale pages do no harm."
        return [checks.Warning(what, hint=hint, id="realtime.W002")]

    def stores_on(self, using: str) -> bool:
        """Messages are stored in the writer's transaction, on any database that has the outbox."""
        return conf.OUTBOX and rows.may_be_on(using)

    def reads_on(self, using: str) -> bool:
        """A position is the backend's: no transaction's snapshot has a part in it."""
        return False

    def serve(self) -> None:
        """Let this process sweep the outbox, if this is the project's backend."""
        if project_pubsub() is self:
            process.ensure_relay(self)

    def send_now(self, messages: Sequence[Message]) -> None:
        """Hand messages to the relay, without a row: what is not taken then is dropped."""
        process.hand_over(Unstored(self, tuple(messages), passing=True), project_pubsub())

    def facts(self) -> Mapping[str, object]:
        """Return how far the backend is; raise what came, where a page would just be reset."""
        return {"position": str(self.ask_position())}

    def prepare(self, messages: Sequence[Message], using: str) -> Callable[[], None]:
        """Store the messages with the writer's transaction; hand them to the relay behind it."""
        if not messages:
            return nothing_to_do
        sweeps_for = project_pubsub()
        if not self.stores_on(using):
            unstored = Unstored(self, tuple(messages))
            return lambda: process.hand_over(unstored, sweeps_for)
        stored = Stored(self, rows.place(using), rows.write(messages, using))
        return lambda: process.hand_over(stored, sweeps_for)


def project_pubsub() -> OutboxPubSub | None:
    """Return the project's backend, if it is one that sends through the outbox."""
    pubsub = get_pubsub()
    return pubsub if isinstance(pubsub, OutboxPubSub) else None
