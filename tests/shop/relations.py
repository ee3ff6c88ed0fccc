"""Relations that Django orders, generic ones, and ones that the database cascades."""

from __future__ import annotations

from django.db import models

LAST_RESORT = 2
"""The shelf of rows that have lost their own."""


def shelf_of_last_resort() -> int:
    """Return the value for SET."""
    return LAST_RESORT


class Sign(models.Model):
    """A sign on a shelf, in an order."""

    shelf = models.ForeignKey("shop.Shelf", models.CASCADE, related_name="signs")
    since = models.DateField()

    class Meta:
        order_with_respect_to = "shelf"

    def __str__(self) -> str:
        return f"sign {self.pk}"


class Hook(models.Model):
    """A row that moves to another shelf when its shelf is deleted."""

    shelf = models.ForeignKey(
        "shop.Shelf", models.SET_DEFAULT, default=LAST_RESORT, related_name="hooks"
    )
    spare = models.ForeignKey(
        "shop.Shelf", models.SET(shelf_of_last_resort), null=True, related_name="spare_hooks"
    )

    def __str__(self) -> str:
        return f"hook {self.pk}"


class Board(models.Model):
    """The database deletes or changes the rows that refer to it."""

    def __str__(self) -> str:
        return f"board {self.pk}"


class Sticker(models.Model):
    """Django leaves it alone; a constraint made by hand deletes it with its board."""

    board = models.ForeignKey(Board, models.DO_NOTHING, db_constraint=False)

    def __str__(self) -> str:
        return f"sticker {self.pk}"


if hasattr(models, "DB_CASCADE"):  # since Django 6.1

    class Frame(models.Model):
        """The database deletes or changes the rows that refer to it, declared in Django."""

        def __str__(self) -> str:
            return f"frame {self.pk}"

    class Pin(models.Model):
        """Deleted with its frame."""

        frame = models.ForeignKey(Frame, models.DB_CASCADE)

        def __str__(self) -> str:
            return f"pin {self.pk}"

    class PinHead(models.Model):
        """Deleted with its pin, and so with the frame."""

        pin = models.ForeignKey(Pin, models.DB_CASCADE)

        def __str__(self) -> str:
            return f"head {self.pk}"

    class Clip(models.Model):
        """Loses its frame."""

        frame = models.ForeignKey(Frame, models.DB_SET_NULL, null=True)

        def __str__(self) -> str:
            return f"clip {self.pk}"
