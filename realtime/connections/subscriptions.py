"""The subscriptions of one connection: a state machine that holds and releases the mailbox.

              ask              grant              confirm
    (none) ---------> ASKED ----------> PENDING ----------> LIVE
                                           ^                |  ^
                                           | grant    doubt |  | keep
                                           |                v  |
                                           +------------ DOUBTED

`grant` also leads from LIVE to PENDING: a client that subscribes again is confirmed again. `end`
leads from each state to ENDED. The rule is asked about a doubt as soon as the subscription is
granted; the state is DOUBTED only once it is confirmed. The mailbox holds the key from `grant`
until the subscription is LIVE, except for a doubt without HOLDS. Each hold ends with one release.

A LIVE subscription without open requests is only a key and a cursor in a dict (see decision 13).
The key is a topic; any hashable object works. No method awaits, so a cancelled task never leaves a
transition half done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Generic, Protocol, TypeVar

from realtime.connections.subscription import CHANGED, Doubt, State, Subscription
from realtime.messages.cursors import Cursor

K = TypeVar("K")
K_contra = TypeVar("K_contra", contravariant=True)


class Holder(Protocol[K_contra]):
    """Holds and releases the messages of a key: the mailbox."""

    def hold(self, key: K_contra, /) -> None:
        """Keep the messages of this key until `release()`."""

    def release(self, key: K_contra, /) -> None:
        """Give out the messages that were held."""

    def discard(self, key: K_contra, /) -> None:
        """Drop the messages of this key that wait."""


class Subscriptions(Generic[K]):
    """All subscriptions of one connection. Owner: the connection's event loop."""

    # See decision 13.
    __slots__ = ("_mailbox", "_turn", "_unsettled", "cursors")

    def __init__(self, mailbox: Holder[K]) -> None:
        self._mailbox = mailbox
        self._unsettled: dict[K, Subscription] = {}
        """Subscriptions that are not LIVE, or that the client asks for again."""
        self._turn: asyncio.Lock | None = None
        self.cursors: dict[K, Cursor | str | None] = {}
        """Granted key -> the cursor that the client was sent last; see decision 13."""

    def state(self, key: K) -> State | None:
        """Return the state of the subscription to a key; None if there is none."""
        known = self._unsettled.get(key)
        if known is not None:
            return known.state
        return State.LIVE if key in self.cursors else None

    def unsettled(self, key: K) -> Subscription | None:
        """Return the subscription to a key; None if there is none, or if it is LIVE and settled."""
        return self._unsettled.get(key)

    def pending(self, keys: Iterable[K] | None = None) -> list[K]:
        """Return the PENDING ones of these keys, or of all."""
        chosen = self._unsettled if keys is None else keys
        return [key for key in chosen if self.state(key) is State.PENDING]

    def keys(self) -> list[K]:
        """Return the keys that are granted or asked for."""
        return [*self.cursors, *(self._unsettled.keys() - self.cursors.keys())]

    def tasks(self) -> list[asyncio.Future[Any]]:
        """Return the tasks that subscribe at the hub and are not done."""
        return [task for each in self._unsettled.values() for task in each.tasks]

    def turn(self) -> asyncio.Lock:
        """Return the lock under which this client's missed messages are read: one topic a time."""
        if self._turn is None:
            self._turn = asyncio.Lock()
        return self._turn

    # -- transitions --------------------------------------------------------------------------

    def ask(self, keys: Iterable[K]) -> None:
        """Record that the client asks for these, and that their rules have not answered yet."""
        for key in keys:
            self._open(key).is_asked = True

    def unask(self, keys: Iterable[K]) -> None:
        """End those that were asked for and not granted; the others keep their state."""
        for key in keys:
            known = self._unsettled.get(key)
            if known is not None and known.is_asked:
                known.is_asked = False
                if known.is_granted:
                    self._adjust(key, known)
                else:
                    self._end(key, known)

    def grant(self, key: K) -> Subscription:
        """Grant a key: PENDING, with its messages held, until `confirm()` is called."""
        granted = self._open(key)
        granted.is_asked, granted.is_granted = False, True
        granted.confirming += 1
        self.cursors.setdefault(key, None)
        self._adjust(key, granted)
        return granted

    def begin(self, key: K, subscription: Subscription, task: asyncio.Future[Any]) -> None:
        """Add a task that is cancelled if the subscription ends before the task does."""
        subscription.tasks.append(task)
        task.add_done_callback(lambda done: self._done(key, subscription, done))

    def confirm(self, key: K, subscription: Subscription) -> bool:
        """Record the backend's confirmation; return whether to send `subscribed`."""
        if subscription.has_ended:
            return False
        subscription.confirming -= 1
        self._adjust(key, subscription)
        return True

    def doubt(self, keys: Iterable[K], doubt: Doubt) -> None:
        """Record that the rules of these keys must be asked again; ended and unknown ones stay."""
        for key in keys:
            if self.state(key) in (None, State.ENDED):
                continue
            known = self._open(key)
            # A rule that runs at this moment may have read the state before the change.
            known.doubt |= doubt if known.is_granted else CHANGED
            self._adjust(key, known)

    def doubt_all(self, doubt: Doubt) -> None:
        """Record that the rules of all keys must be asked again."""
        self.doubt(self.keys(), doubt)

    def has_question(self, *, held: bool) -> bool:
        """Return whether `question()` would return any subscription."""
        return any(each.waits_for_question(held) for each in self._unsettled.values())

    def question(self, *, held: bool) -> dict[K, Subscription]:
        """Begin to ask about doubted subscriptions, those that are held or those that are not.

        Each has one question at a time, to be answered by `keep()` or `end()`.
        """
        found = {
            key: each for key, each in self._unsettled.items() if each.waits_for_question(held)
        }
        for each in found.values():
            each.question, each.doubt = each.doubt, Doubt.NONE
        return found

    def keep(self, key: K, subscription: Subscription) -> None:
        """Record that the question was answered by yes. A doubt that came since stays."""
        subscription.question = Doubt.NONE
        self._adjust(key, subscription)

    def end(self, keys: Iterable[K]) -> list[K]:
        """End these, and drop their waiting messages; return those that were granted."""
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
        """Return the `Subscription` of a key; a new one if there is none or it has ended."""
        known = self._unsettled.get(key)
        if known is None or known.has_ended:
            tasks = [] if known is None else known.tasks
            known = Subscription(is_granted=key in self.cursors, tasks=tasks)
            self._unsettled[key] = known
        return known

    def _adjust(self, key: K, subscription: Subscription) -> None:
        """Hold or release the messages as the state needs; drop an object that is not needed."""
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
                self._unsettled.clear()  # see decision 13
                self._turn = None

    def _done(self, key: K, subscription: Subscription, task: asyncio.Future[Any]) -> None:
        if not task.cancelled():
            task.exception()  # read here too: the task that waits for several raises only one
        subscription.tasks.remove(task)
        # A newer subscription to the key may have taken over this one's tasks.
        known = self._unsettled.get(key)
        if known is not None and known.has_ended:
            self._adjust(key, known)
