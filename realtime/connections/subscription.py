"""The state of one subscription; `realtime.connections.subscriptions` changes it."""

from __future__ import annotations

import asyncio
from enum import Enum, Flag, auto
from typing import Any


class State(Enum):
    """Where a subscription stands."""

    ASKED = "asked"
    """The client asked for it, and the rule has not answered yet."""
    PENDING = "pending"
    """The rule or a ticket granted it, and `subscribed` has not been sent yet."""
    LIVE = "live"
    DOUBTED = "doubted"
    """The rule is asked again."""
    ENDED = "ended"
    """It was refused, revoked or unsubscribed; tasks begun for it may still run."""


class Doubt(Flag):
    """Why the rule is asked again, and the effects until it has answered."""

    NONE = 0
    HOLDS = auto()
    """Messages are held until the rule answers."""
    REVOKES = auto()
    """A rule that fails twice denies. Without this its earlier answer stands."""
    UNPROVEN = auto()
    """A ticket opened the subscription, and no rule has said yes yet."""


RECHECK = Doubt.HOLDS
"""No change is known; the periodic recheck asks."""
CHANGED = Doubt.HOLDS | Doubt.REVOKES
"""A dependency of the rule, or the user, has changed."""
TICKET = Doubt.REVOKES | Doubt.UNPROVEN
"""A view has just shown the data to the user, so messages are sent while the rule is asked."""


class Subscription:
    """One subscription until it is LIVE without open requests. Only `Subscriptions` changes it."""

    __slots__ = (
        "confirming",
        "doubt",
        "has_ended",
        "is_asked",
        "is_granted",
        "is_held",
        "question",
        "tasks",
    )

    def __init__(self, *, is_granted: bool, tasks: list[asyncio.Future[Any]]) -> None:
        self.is_granted = is_granted
        self.has_ended = self.is_asked = self.is_held = False
        self.confirming = 0
        """The number of the client's requests for it that are not confirmed yet."""
        self.doubt = Doubt.NONE
        """Doubts for which the rule has not been asked yet."""
        self.question = Doubt.NONE
        """Doubts for which the rule is being asked."""
        self.tasks = tasks
        """Tasks that subscribe at the hub, those of ended subscriptions to this key included."""

    @property
    def state(self) -> State:
        """The state that follows from the fields."""
        if self.has_ended:
            return State.ENDED
        if not self.is_granted:
            return State.ASKED
        if self.confirming:
            return State.PENDING
        return State.DOUBTED if self.in_doubt else State.LIVE

    @property
    def in_doubt(self) -> Doubt:
        """The doubts for which the rule is being asked or will be."""
        return self.doubt | self.question

    def waits_for_question(self, held: bool) -> bool:
        """Return whether its rule is to be asked for a doubt that holds (or one that does not)."""
        if not self.doubt or self.question or self.has_ended or not self.is_granted:
            return False
        return (Doubt.HOLDS in self.doubt) is held

    @property
    def must_be_held(self) -> bool:
        """Whether the mailbox must hold its messages."""
        if self.has_ended or not self.is_granted:
            return False
        return self.confirming > 0 or Doubt.HOLDS in self.in_doubt
