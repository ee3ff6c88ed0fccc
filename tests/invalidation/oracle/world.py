"""What a program of writes knows: the objects that it once saw, which go stale."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from tests.invalidation.oracle.tables import Row
from tests.shop.models import Shelf

REMEMBERED = 8


class Undone(Exception):
    """Ends a block that is to be rolled back, or is what a hook raises."""


class World:
    """Picks rows by numbers, and remembers the objects."""

    def __init__(self) -> None:
        self.objects: list[Any] = []
        self.by_hand: set[Row] = set()
        """The rows of which the current unit told without writing them."""
        self.went_on = False
        """Has the current unit gone on behind a write that failed, without undoing it?"""

    def begin_unit(self) -> None:
        """Forget what the unit before did; its objects stay known."""
        self.by_hand.clear()
        self.went_on = False

    def see(self, found: Any) -> Any:
        """Remember an object."""
        self.objects = [*self.objects[1 - REMEMBERED :], found]
        return found

    def pick(self, model: Any, number: int) -> Any:
        """Return the object of a stored row, or None where there is none."""
        rows = list(model._base_manager.order_by("pk")[:6])
        return self.see(rows[number % len(rows)]) if rows else None

    def some(self, model: Any, number: int) -> list[Any]:
        """Return none, one or two rows next to each other."""
        rows = list(model._base_manager.order_by("pk")[:6])
        start = number // 3
        return [rows[(start + i) % len(rows)] for i in range(number % 3)] if len(rows) > 1 else rows

    def shelf(self, number: int) -> Shelf | None:
        """Return a shelf, or none for every fourth number."""
        return self.pick(Shelf, number) if number % 4 else None

    def stale(self, number: int, *models: Any) -> Any:
        """Return an object seen before, of one of the models, or None."""
        known = [each for each in self.objects if not models or isinstance(each, models)]
        return known[-1 - number % len(known)] if known else None

    def delete_and_make(self, old: Any, new: Any) -> None:
        """Put an object in another's place, in one transaction."""
        with transaction.atomic():
            old.delete()
            new.save(force_insert=True)
        self.see(new)
