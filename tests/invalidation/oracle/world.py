"""The state of a program of writes: the objects that it has seen, which go stale."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from tests.invalidation.oracle.tables import Row
from tests.shop.models import Shelf

REMEMBERED = 8


class Undone(Exception):
    """Ends a block that is rolled back, or is raised by a hook."""


class World:
    """Picks rows by numbers, and keeps the objects."""

    def __init__(self) -> None:
        self.objects: list[Any] = []
        self.by_hand: set[Row] = set()
        """The rows that the current unit published by `invalidate()`."""
        self.went_on = False
        """True if the current unit went on after a failed write without a rollback."""

    def begin_unit(self) -> None:
        """Reset the flags of the previous unit; its objects stay."""
        self.by_hand.clear()
        self.went_on = False

    def see(self, found: Any) -> Any:
        """Keep an object."""
        self.objects = [*self.objects[1 - REMEMBERED :], found]
        return found

    def pick(self, model: Any, number: int) -> Any:
        """Return the object of a stored row, or None if there is none."""
        rows = list(model._base_manager.order_by("pk")[:6])
        return self.see(rows[number % len(rows)]) if rows else None

    def some(self, model: Any, number: int) -> list[Any]:
        """Return none, one or two neighbouring rows."""
        rows = list(model._base_manager.order_by("pk")[:6])
        start = number // 3
        return [rows[(start + i) % len(rows)] for i in range(number % 3)] if len(rows) > 1 else rows

    def shelf(self, number: int) -> Shelf | None:
        """Return a shelf, or None for every fourth number."""
        return self.pick(Shelf, number) if number % 4 else None

    def stale(self, number: int, *models: Any) -> Any:
        """Return an object seen before, of one of the models, or None."""
        known = [each for each in self.objects if not models or isinstance(each, models)]
        return known[-1 - number % len(known)] if known else None

    def delete_and_make(self, old: Any, new: Any) -> None:
        """Delete one object and save another in its place, in one transaction."""
        with transaction.atomic():
            old.delete()
            new.save(force_insert=True)
        self.see(new)
