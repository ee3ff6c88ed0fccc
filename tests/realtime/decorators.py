"""A decorator of another module than what it decorates, as projects have them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    """Do nothing but stand between."""

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        return function(*args)

    return call
