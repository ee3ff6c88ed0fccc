"""What a process keeps of rules that are asked behind tickets: recent refusals, and a queue."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from time import monotonic
from weakref import WeakKeyDictionary

from realtime.access.identity import Identity
from realtime.conf import conf

MOST = 20_000
"""Refusals that a process remembers. Above that no ticket opens a topic with a rule early."""

MOST_OF_ONE = 100
"""Refusals of one user that are remembered. Above that no ticket of theirs opens one early."""

Owner = tuple[str, str]


class Refusals:
    """Topics that rules refused to users within TICKET_AGE. Owner: an event loop.

    A refusal that finds no room is not remembered. For TICKET_AGE from then on tickets, of that
    user or of all, open nothing that has a rule: the rule is asked first.
    """

    def __init__(self) -> None:
        self._until: OrderedDict[tuple[Owner, str], float] = OrderedDict()
        """When each refusal is forgotten, in this order."""
        self._counts: Counter[Owner] = Counter()
        self._full: OrderedDict[Owner, float] = OrderedDict()
        """Until when each user without room is distrusted, in this order."""
        self._all_full = 0.0

    def add(self, identity: Identity, topic: str) -> None:
        """Remember that a rule refused a topic to this user."""
        owner, until = _owner(identity), monotonic() + conf.TICKET_AGE
        self._forget_old()
        self.forget(identity, topic)
        if len(self._until) >= MOST:
            self._all_full = until
        elif self._counts[owner] >= MOST_OF_ONE:
            self._full.pop(owner, None)
            self._full[owner] = until
        else:
            self._until[owner, topic] = until
            self._counts[owner] += 1

    def forget(self, identity: Identity, topic: str) -> None:
        """Forget it: the rule says yes by now."""
        owner = _owner(identity)
        if self._until.pop((owner, topic), None) is not None:
            self._count_one_less(owner)

    def may_include(self, identity: Identity, topic: str) -> bool:
        """Was this topic refused to this user within TICKET_AGE, or is that not known?"""
        self._forget_old()
        owner = _owner(identity)
        is_full = owner in self._full or self._all_full > monotonic()
        return is_full or (owner, topic) in self._until

    def __len__(self) -> int:
        """Return how many are remembered."""
        return len(self._until)

    def _forget_old(self) -> None:
        now = monotonic()
        while self._until and next(iter(self._until.values())) <= now:
            (owner, _), _ = self._until.popitem(last=False)
            self._count_one_less(owner)
        while self._full and next(iter(self._full.values())) <= now:
            self._full.popitem(last=False)

    def _count_one_less(self, owner: Owner) -> None:
        self._counts[owner] -= 1
        if not self._counts[owner]:
            del self._counts[owner]


class TicketChecks:
    """One a process: its refusals, and its queue of questions behind tickets.

    The queue is the semaphore's: connections take turns in the order of their coming, and half of
    RULE_THREADS at a time ask. So a client that waits for its rule finds the other half.
    """

    def __init__(self) -> None:
        self.refusals = Refusals()
        self.turns = asyncio.Semaphore(max(1, conf.RULE_THREADS // 2))


def ticket_checks() -> TicketChecks:
    """Return those of the running event loop: a server process has one."""
    loop = asyncio.get_running_loop()
    found = _known.get(loop)
    if found is None:
        found = _known[loop] = TicketChecks()
    return found


_known: WeakKeyDictionary[asyncio.AbstractEventLoop, TicketChecks] = WeakKeyDictionary()


def _owner(identity: Identity) -> Owner:
    """Name a user by their key. Of anonymous ones each session counts as a user."""
    key = identity.key
    return key, "" if key else identity.session
