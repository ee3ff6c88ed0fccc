"""The ways to write, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.invalidation.oracle.world import World

Write = Callable[[World, int, int, str], Any]

WRITES: dict[str, Write] = {}


def write(function: Write) -> Write:
    """Register a function as a way to write."""
    WRITES[function.__name__] = function
    return function
