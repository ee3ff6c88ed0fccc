"""The subscriptions of one connection: a state machine that holds and releases the mailbox.

              ask              grant              confirm
    (none) ---------> ASKED ----------> PENDING ----------> LIVE
                                           ^                |  ^
                                           | grant    doubt |  | keep
                                           |                v  |
                                           +------------ DOUBTED

`grant` also leads from LIVE to PENDING: a client that asks again is confirmed again. `end` leads
from each state to ENDED. A doubt that comes while a subscription is ASKED or PENDING counts once
it is confirmed. The mailbox is held from `grant` until the subscription is LIVE again, except for
a doubt that does not hold. Each hold ends with one release.

A subscription that is plainly LIVE is only a key and a cursor in a dict, so that idle clients cost
little. The key is a topic; anything hashable serves. No method awaits, so a task that is cancelled
never leaves a transition half done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from enum import Enum, Flag, auto
from typing import Any, Generic, Protocol, TypeVar

from realtime.messages.cursors import Cursor

K = TypeVar("K")
K_contra = TypeVar("K_contra", contravariant=True)


class State(Enum):
    """Where a subscription stands."""

    ASKED = "asked"
    """The client asked for it, and the rule has not answered."""
    PENDING = "pending"
    """It is granted, and the client has not been told that the backend confirmed it."""
    LIVE = "live"
    DOUBTED = "doubted"
    """The rule is asked again."""
    ENDED = "ended"
    """It was refused, revoked or given up; tasks that were begun for it may not be done yet."""


class Doubt(Flag):
    """Why the rule is asked again, and what that means until it has answered."""

    NONE = 0
    HOLDS = auto()
    """Messages are held."""
    REVOKES = auto()
    """A rule that fails twice has said no. Without this, what it said before stands."""
    UNPROVEN = auto()
    """A ticket opened the subscription, and no rule has said yes yet."""


RECHECK = Doubt.HOLDS
"""Nothing is known to have changed; it is asked now and then."""
CHANGED = Doubt.HOLDS | Doubt.REVOKES
"""Something on which the answer depends has changed."""
TICKET = Doubt.REVOKES | Doubt.UNPROVEN
"""A view has just shown it to the user. So messages go out while the rule is asked."""


class Holder(Protocol[K_contra]):
    """What is held for a key: the mailbox."""

    def hold(self, key: K_contra, /) -> None:
        """Give out nothing of this key."""

    def release(self, key: K_contra, /) -> None:
        """Give out what was held."""

    def discard(self, key: K_contra, /) -> None:
        """Drop what waits of this key."""


class Subscription:
    """One subscription while it is not plainly LIVE. `Subscriptions` alone changes it."""

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
        """How many requests of the client for it are not confirmed."""
        self.doubt = Doubt.NONE
        """What the rule is still to be asked about."""
        self.question = Doubt.NONE
        """What the rule is being asked about."""
        self.tasks = tasks
        """Tasks that subscribe at the hub, those of ended subscriptions to this key included."""

    @property
    def state(self) -> State:
        """Where it stands."""
        if self.has_ended:
            return State.ENDED
        if not self.is_granted:
            return State.ASKED
        if self.confirming:
            return State.PENDING
        return State.DOUBTED if self.in_doubt else State.LIVE

    @property
    def in_doubt(self) -> Doubt:
        """What the rule is asked about, or will be."""
        return self.doubt | self.question

    def waits_for_question(self, held: bool) -> bool:
        """Is the rule to be asked about this, which is held or not?"""
        if not self.doubt or self.question or self.has_ended or not self.is_granted:
            return False
        return (Doubt.HOLDS in self.doubt) is held

    @property
    def must_be_held(self) -> bool:
        """Does something keep its messages back?"""
        if self.has_ended or not self.is_granted:
            return False
        return self.confirming > 0 or Doubt.HOLDS in self.in_doubt


class Subscriptions(Generic[K]):
    """All subscriptions of one connection. Owner: the connection's event loop."""

    # One for each client: without a dict for its attributes it takes less.
    __slots__ = ("_mailbox", "_turn", "_unsettled", "cursors")

    def __init__(self, mailbox: Holder[K]) -> None:
        self._mailbox = mailbox
        self._unsettled: dict[K, Subscription] = {}
        """Those that are not plainly LIVE."""
        self._turn: asyncio.Lock | None = None
        self.cursors: dict[K, Cursor | str | None] = {}
        """What is granted, and the cursor that the client was told last of each.

        As an object, if it came from the backend: all connections share that one.
        """

    def state(self, key: K) -> State | None:
        """Return where the subscription to a key stands; None if there is none."""
        known = self._unsettled.get(key)
        if known is not None:
            return known.state
        return State.LIVE if key in self.cursors else None

    def unsettled(self, key: K) -> Subscription | None:
        """Return the subscription to a key while it is not plainly LIVE; None else."""
        return self._unsettled.get(key)

    def pending(self, keys: Iterable[K] | None = None) -> list[K]:
        """Return those that the client waits for, of these or of all."""
        chosen = self._unsettled if keys is None else keys
        return [key for key in chosen if self.state(key) is State.PENDING]

    def keys(self) -> list[K]:
        """Return all that is granted or asked for."""
        return [*self.cursors, *(self._unsettled.keys() - self.cursors.keys())]

    def tasks(self) -> list[asyncio.Future[Any]]:
        """Return the tasks that subscribe at the hub and are not done."""
        return [task for each in self._unsettled.values() for task in each.tasks]

    def turn(self) -> asyncio.Lock:
        """Return the lock for looking into the history for this client: one look at a time."""
        if self._turn is None:
            self._turn = asyncio.Lock()
        return self._turn

    # -- transitions --------------------------------------------------------------------------

    def ask(self, keys: Iterable[K]) -> None:
        """Take note that the client asks for these, and that the rule has not answered yet."""
        for key in keys:
            self._open(key).is_asked = True

    def unask(self, keys: Iterable[K]) -> None:
        """End those that were asked for and not granted; leave the others as they are."""
        for key in keys:
            known = self._unsettled.get(key)
            if known is not None and known.is_asked:
                known.is_asked = False
                if known.is_granted:
                    self._adjust(key, known)
                else:
                    self._end(key, known)

    def grant(self, key: K) -> Subscription:
        """Let the client watch a key once `confirm()` is called; hold its messages until then."""
        granted = self._open(key)
        granted.is_asked, granted.is_granted = False, True
        granted.confirming += 1
        self.cursors.setdefault(key, None)
        self._adjust(key, granted)
        return granted

    def begin(self, key: K, subscription: Subscription, task: asyncio.Future[Any]) -> None:
        """Cancel this task when the subscription ends before the task is done."""
        subscription.tasks.append(task)
        task.add_done_callback(lambda done: self._done(key, subscription, done))

    def confirm(self, key: K, subscription: Subscription) -> bool:
        """Take note that the backend confirmed; return whether the client may be told so."""
        if subscription.has_ended:
            return False
        subscription.confirming -= 1
        self._adjust(key, subscription)
        return True

    def doubt(self, keys: Iterable[K], doubt: Doubt) -> None:
        """Take note that the rule must be asked again for those of these that there are."""
        for key in keys:
            if self.state(key) in (None, State.ENDED):
                continue
            known = self._open(key)
            # What is asked for the client at this moment may be answered by what was before.
            known.doubt |= doubt if known.is_granted else CHANGED
            self._adjust(key, known)

    def doubt_all(self, doubt: Doubt) -> None:
        """Take note that the rules must be asked again for everything."""
        self.doubt(self.keys(), doubt)

    def has_question(self, *, held: bool) -> bool:
        """Would `question()` find anything?"""
        return any(each.waits_for_question(held) for each in self._unsettled.values())

    def question(self, *, held: bool) -> dict[K, Subscription]:
        """Begin to ask about what is in doubt and held, or not held. One question each at a time.

        Each is to be answered by `keep()` or `end()`.
        """
        found = {
            key: each for key, each in self._unsettled.items() if each.waits_for_question(held)
        }
        for each in found.values():
            each.question, each.doubt = each.doubt, Doubt.NONE
        return found

    def keep(self, key: K, subscription: Subscription) -> None:
        """Take note that the question was answered by yes. A doubt that came since stays."""
        subscription.question = Doubt.NONE
        self._adjust(key, subscription)

    def end(self, keys: Iterable[K]) -> list[K]:
        """End these, and drop what waits of them; return those that were granted."""
        ended = []
        for key in keys:
            if key in self.cursors:
                del self.cursors[key]
                self._mailbox.discard(key)
                ended.append(key)
            known = self._unsettled.get(key)
            if known is not None and not known.has_ended:
                self._end(key, known)
        return ended

    # -- inside -------------------------------------------------------------------------------

    def _open(self, key: K) -> Subscription:
        """Return the subscription to a key as an object; a new one if the last has ended."""
        known = self._unsettled.get(key)
        if known is None or known.has_ended:
            tasks = [] if known is None else known.tasks
            known = Subscription(is_granted=key in self.cursors, tasks=tasks)
            self._unsettled[key] = known
        return known

    def _adjust(self, key: K, subscription: Subscription) -> None:
        """Hold or release the mailbox as the state wants it; forget what needs no object."""
        must = subscription.must_be_held
        if must is not subscription.is_held:
            subscription.is_held = must
            (self._mailbox.hold if must else self._mailbox.release)(key)
        state = subscription.state
        is_plain = state is State.LIVE and not subscription.is_asked
        if is_plain or (state is State.ENDED and not subscription.tasks):
            self._forget(key, subscription)

    def _end(self, key: K, subscription: Subscription) -> None:
        subscription.has_ended = True
        for task in subscription.tasks:
            task.cancel()
        self._adjust(key, subscription)

    def _forget(self, key: K, subscription: Subscription) -> None:
        if self._unsettled.get(key) is subscription:
            del self._unsettled[key]
            if not self._unsettled:
                self._unsettled.clear()  # what is emptied one by one keeps its memory
                self._turn = None

    def _done(self, key: K, subscription: Subscription, task: asyncio.Future[Any]) -> None:
        if not task.cancelled():
            task.exception()  # the task that waits for it raises it; several may fail together
        subscription.tasks.remove(task)
        # Another subscription may have taken over the tasks of this one.
        known = self._unsettled.get(key)
        if known is not None and known.has_ended:
            self._adjust(key, known)
