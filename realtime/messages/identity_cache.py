"""Doing once what many ask for at the same moment.

A message for a thousand mailboxes is one object. What is made of it, its text for one, is made
for the first and found for the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

MOST = 64
"""Results that are kept. Those who ask for the same do so right behind each other."""


class IdentityCache(Generic[P, R]):
    """A pure function that is called once for the same arguments; for the very same objects.

    Identity is enough, and costs less than comparing what messages hold. Arguments are kept
    beside the result, so that no other object takes their place. Owner: an event loop.
    """

    def __init__(self, function: Callable[P, R], most: int = MOST) -> None:
        self._function = function
        self._most = most
        self._known: dict[tuple[int, ...], tuple[tuple[Any, ...], R]] = {}

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what the function returns."""
        key = tuple(map(id, args))
        found = self._known.get(key)
        if found is not None:
            return found[1]
        result = self._function(*args, **kwargs)
        if len(self._known) >= self._most:
            # The oldest: dicts keep their order.
            del self._known[next(iter(self._known))]
        self._known[key] = (args, result)
        return result
