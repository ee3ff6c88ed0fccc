"""Registries: by name, what other packages add to this one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from realtime.exceptions import AlreadyRegistered

T = TypeVar("T")


class Registry(dict[str, T]):
    """Entries by name. Packages add theirs while Django loads apps, and none is replaced.

    `registry[name] = entry` and `@registry.register(name)` add one. Raise AlreadyRegistered where
    the name has another entry. `what` is what an entry is, for that error.
    """

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what

    def __setitem__(self, name: str, entry: T) -> None:
        if name in self and self[name] != entry:
            raise AlreadyRegistered(
                f"expected one {self._what} named {name!r}, got {entry!r} beside {self[name]!r}"
            )
        super().__setitem__(name, entry)

    def register(self, name: str) -> Callable[[T], T]:
        """Add the decorated function under `name`."""

        def add(entry: T) -> T:
            self[name] = entry
            return entry

        return add
