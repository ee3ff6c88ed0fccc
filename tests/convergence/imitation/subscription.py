"""`subscription.js`: one handler's watch of one topic, from its own cursor."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tests.convergence.imitation.gate import Gate
from tests.convergence.imitation.news import News
from tests.convergence.imitation.pace import Pace
from tests.convergence.imitation.permit import Asked, Permit
from tests.convergence.imitation.runner import Handler, Runner
from tests.convergence.imitation.tools import Tools

Told = tuple[str, str]
"""A row that a client was told of: label and key."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a caller may say of a subscription."""

    cursor: str | None = None
    ticket: str | None = None
    catch_up: bool = False
    together: bool = False
    jitter: float | None = None
    reset_jitter: float | None = None
    on_denied: Callable[[str], None] = lambda _: None
    since: float | None = None
    """Since when it counts what it is told, for the harness."""


class Owner(Protocol):
    """Whose subscription it is."""

    def changed(self) -> None: ...
    def cancelled(self, subscription: Subscription) -> None: ...
    def denied(self, subscription: Subscription) -> None: ...


class Subscription:
    """One watch. For the harness it counts how often it was told of each row, since when."""

    def __init__(
        self,
        topic: str,
        options: Options,
        handler: Handler,
        *,
        tools: Tools,
        gate: Gate,
        owner: Owner,
    ) -> None:
        self.topic = topic
        self.permit = Permit(options.ticket)
        self.since = time.monotonic() if options.since is None else options.since
        self.told: Counter[Told] = Counter()
        self._pace = Pace(options.jitter, options.reset_jitter, gate, tools)
        self.runner = Runner(handler, options.cursor, tools, self._pace, owner.changed)
        self._options = options
        self._tools = tools
        self._owner = owner

    @property
    def cursor(self) -> str | None:
        """All up to here has been applied."""
        return self.runner.cursor

    def cancel(self) -> None:
        """Watch no more."""
        self.runner.stop()
        self._owner.cancelled(self)

    def ask(self) -> Asked:
        """Build the request; the permit remembers from where it asks."""
        return self.permit.ask(self.cursor)

    def confirm(self, cursor: str | None) -> None:
        """Note that the server answered: nothing is missed from here, or the cursor asked for."""
        # What counts is the request, not the present cursor.
        if self.permit.confirm():
            return
        if self._options.catch_up:
            self.runner.tell(News("unknown-cursor", cursor=cursor))
        else:
            self.runner.start_from(cursor)

    def tell(self, news: News) -> None:
        """Take news; before the confirmation its cursor must not be taken over."""
        self.told.update((label, pk) for label, verbs in news.rows.items() for pk in verbs)
        self.runner.tell(news if self.permit.confirmed else news.without_cursor())

    def renew(self, ticket: str) -> bool:
        """Take a fresh ticket: True if a denial had ended the subscription, and it begins again."""
        is_repeat = self.permit.renew(ticket)
        if is_repeat:
            self.runner.restart()
        return is_repeat

    def deny(self, reason: str) -> None:
        """End: the server does not allow it, or no longer."""
        self.runner.stop()
        self._owner.denied(self)
        kind = "ended" if reason == "revoked" else "refused"
        self._tools.note(kind, topic=self.topic)
        self._tools.counts[f"{kind} {self.topic.partition(':')[0]}"] += 1
        self._options.on_denied(reason)
