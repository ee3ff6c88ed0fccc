"""A cache for pure functions that many callers call with the same objects at the same moment.

A message for a thousand mailboxes is one object. Its encoded text, for example, is made for the
first mailbox and found for the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

MOST_RESULTS = 64
"""Results that are kept. Callers with the same arguments call one right after another."""


class IdentityCache(Generic[P, R]):
    """A pure function that is called once for the same objects as arguments.

    Comparing by identity suffices, and costs less than comparing the contents of messages. The
    arguments are kept beside the result, so that no other object can get their ids. Owner: an event
    loop.
    """

    def __init__(self, function: Callable[P, R], most: int = MOST_RESULTS) -> None:
        self._function = function
        self._most = most
        self._known: dict[tuple[int, ...], tuple[tuple[Any, ...], R]] = {}

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the function's result."""
        key = tuple(map(id, args))
        found = self._known.get(key)
        if found is not None:
            return found[1]
        result = self._function(*args, **kwargs)
        if len(self._known) >= self._most:
            # The oldest entry: dicts keep insertion order.
            del self._known[next(iter(self._known))]
        self._known[key] = (args, result)
        return result
