"""A decorator in another module than the function, as projects have them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    """Only call the decorated function."""

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        return function(*args)

    return call
