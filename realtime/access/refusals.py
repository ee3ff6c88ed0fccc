"""Recent refusals by rules: topics that tickets open no more."""

from __future__ import annotations

from collections import Counter, OrderedDict
from time import monotonic

from realtime.access.identity import Identity
from realtime.conf import conf

MOST_REFUSALS = 20_000
"""Refusals that a process remembers. Above that, rules are asked before tickets open a topic."""

MOST_REFUSALS_A_USER = 100
"""Refusals that are remembered for one user. Above that, the same applies to this user."""

Owner = tuple[str, str]


class Refusals:
    """Topics that rules refused to users within TICKET_AGE. Owner: an event loop.

    If there is no room for a refusal, then for TICKET_AGE the tickets of that user, or of all
    users, open no topics with a rule: the rule is asked first.
    """

    def __init__(self) -> None:
        self._until: OrderedDict[tuple[Owner, str], float] = OrderedDict()
        """Refusal -> when it expires, in this order."""
        self._counts: Counter[Owner] = Counter()
        self._full: OrderedDict[Owner, float] = OrderedDict()
        """User with too many refusals -> until when rules are asked first, in this order."""
        self._all_full = 0.0

    def add(self, identity: Identity, topic: str) -> None:
        """Remember that a rule refused a topic to this user."""
        owner, until = _owner(identity), monotonic() + conf.TICKET_AGE
        self._forget_old()
        self.forget(identity, topic)
        if len(self._until) >= MOST_REFUSALS:
            self._all_full = until
        elif self._counts[owner] >= MOST_REFUSALS_A_USER:
            self._full.pop(owner, None)
            self._full[owner] = until
        else:
            self._until[owner, topic] = until
            self._counts[owner] += 1

    def forget(self, identity: Identity, topic: str) -> None:
        """Remove a refusal, since the rule grants the topic now."""
        owner = _owner(identity)
        if self._until.pop((owner, topic), None) is not None:
            self._count_one_less(owner)

    def may_include(self, identity: Identity, topic: str) -> bool:
        """Return whether the topic was refused to the user within TICKET_AGE, or may have been."""
        self._forget_old()
        owner = _owner(identity)
        is_full = owner in self._full or self._all_full > monotonic()
        return is_full or (owner, topic) in self._until

    def __len__(self) -> int:
        """Return the number of refusals, those that expired since the last call included."""
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


def _owner(identity: Identity) -> Owner:
    """Return a user's key; for an anonymous user the session is the second part."""
    key = identity.key
    return key, "" if key else identity.session
