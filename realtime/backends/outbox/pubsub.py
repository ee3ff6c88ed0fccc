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

ASK_AGAIN_AFTER = 1.0
"""Seconds before a backend that did not answer is asked again. It may hang, and each page that asks
it waits.
"""


class PositionSource:
    """Returns positions, or NOWHERE while the backend is away. Any thread may ask.

    A page with the position NOWHERE is reset when it subscribes, which succeeds once the backend is
    back. It then reads its data again, since nothing proves which changes it missed.
    """

    def __init__(self) -> None:
        self._outage = Outage(
            logger,
            away="the backend gives no position; pages are reset later",
            back="the backend gives positions again",
        )
        self._not_before = 0.0

    def take(self, ask: Callable[[], Cursor]) -> Cursor:
        """Return the result of `ask()`, or NOWHERE if it raises or has just raised."""
        if monotonic() < self._not_before:
            return NOWHERE
        if self._outage.lasts:
            # Meanwhile other threads get NOWHERE, and do not wait for this answer.
            self._not_before = monotonic() + ASK_AGAIN_AFTER
        try:
            found = ask()
        except Exception as error:
            self._outage.begin(error)
            self._not_before = monotonic() + ASK_AGAIN_AFTER
            return NOWHERE
        self._not_before = 0.0
        self._outage.end()
        return found


class OutboxPubSub(PubSub):
    """Sends through the outbox. A subclass defines `send()`, `ask_position()` and `connect()`."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self._positions = PositionSource()

    @abstractmethod
    def send(self, messages: Sequence[Message]) -> None:
        """Send messages to the backend, in this order; return once it has taken all of them.

        Called only in the relay's thread, with at most some hundred messages. It may block for a
        few seconds: a backend that can hang needs a timeout here. Raise the backend's error if it
        did not take the messages, or may not have: all of them are sent again, with growing pauses.
        Raise InvalidMessage for a message that the backend will never take, such as one too large
        for it: a reset of the topic is sent instead.
        """

    @abstractmethod
    def ask_position(self) -> Cursor:
        """Ask the backend for a cursor for "now", valid for any topic.

        Called for each page that is shown, in any thread. Raise the backend's error if it does not
        answer within a second or two, since that page waits.
        """

    def position(self) -> Cursor:
        """Return the backend's "now", or NOWHERE while it is away."""
        return self._positions.take(self.ask_position)

    async def aposition(self) -> Cursor:
        """Return the backend's "now"; a backend that hangs blocks only a thread of the pool."""
        return await off_loop(self.position)

    def ended(self) -> None:
        """Release the resources that `send()` holds in the relay's thread, which ends."""

    def check(self) -> list[CheckMessage]:
        """Warn of the messages that are lost if the outbox is switched off."""
        if conf.OUTBOX:
            return []
        what = (
            "The outbox is switched off: a process that ends right after a commit loses its"
            " message, and so does one that ends while the backend is away. Clients go stale."
        )
        hint = "Remove REALTIME['OUTBOX'], or silence this if stale pages do no harm."
        return [checks.Warning(what, hint=hint, id="realtime.W002")]

    def stores_on(self, using: str) -> bool:
        """Return True for a database with the outbox's table: its transactions store messages."""
        return conf.OUTBOX and rows.may_be_on(using)

    def reads_on(self, using: str) -> bool:
        """Return False: a position is the backend's, not that of a transaction's snapshot."""
        return False

    def serve(self) -> None:
        """Let this process sweep the outbox, if this is the project's backend."""
        if project_pubsub() is self:
            process.ensure_relay(self)

    def send_now(self, messages: Sequence[Message]) -> None:
        """Pass messages to the relay without a row; drop them if the backend does not take them."""
        process.hand_over(Unstored(self, tuple(messages), passing=True), project_pubsub())

    def facts(self) -> Mapping[str, object]:
        """Return the backend's position, or raise its error: operators must see it."""
        return {"position": str(self.ask_position())}

    def prepare(self, messages: Sequence[Message], using: str) -> Callable[[], None]:
        """Store the messages in the writer's transaction; after its commit the relay gets them."""
        if not messages:
            return nothing_to_do
        sweeps_for = project_pubsub()
        if not self.stores_on(using):
            unstored = Unstored(self, tuple(messages))
            return lambda: process.hand_over(unstored, sweeps_for)
        stored = Stored(self, rows.place(using), rows.write(messages, using))
        return lambda: process.hand_over(stored, sweeps_for)


def project_pubsub() -> OutboxPubSub | None:
    """Return the project's backend if it sends through the outbox, else None."""
    pubsub = get_pubsub()
    return pubsub if isinstance(pubsub, OutboxPubSub) else None
