"""The journal of a transaction."""

from __future__ import annotations

from django.db import connection, connections

from invalidation.changes import Change, UnknownRows
from invalidation.transactions.journal import Journal, journal_of
from realtime.messages.message import Reset
from tests.shop.models import Product, Shelf

ONE, TWO, THREE = (Change(Product, pk, None, {}) for pk in "123")


def test_journal_goes_back_to_a_savepoint():
    """Entries after the savepoint are dropped, those before it stay."""
    journal = Journal()
    journal.add([ONE])
    journal.note_savepoint("a")
    journal.add([TWO])

    journal.roll_back_to("a")
    journal.add([THREE])

    assert journal.entries() == (ONE, THREE)


def test_journal_goes_back_over_inner_savepoints():
    """It can go back to the same savepoint twice."""
    journal = Journal()
    for savepoint, change in (("a", ONE), ("b", TWO)):
        journal.note_savepoint(savepoint)
        journal.add([change])

    journal.roll_back_to("a")
    journal.add([THREE])
    journal.roll_back_to("a")

    assert journal.entries() == ()


def test_journal_rolled_back_to_an_unknown_savepoint_keeps_resets():
    """For a savepoint of raw SQL the journal keeps resets: any row may have been rolled back."""
    journal = Journal()
    journal.add([ONE, Change(Shelf, "1", None, {}), TWO])

    journal.roll_back_to("made by raw SQL")

    resets = (UnknownRows(Product, Reset.RAW_SQL), UnknownRows(Shelf, Reset.RAW_SQL))
    assert journal.entries() == resets


def test_cleared_journal_is_empty():
    """Entries and savepoints end with their transaction."""
    journal = Journal()
    journal.note_savepoint("a", begins=True)
    journal.add([ONE])

    journal.clear()

    assert journal.entries() == ()
    assert not journal.is_begun_by("a")


def test_connection_and_its_proxy_have_one_journal():
    """`django.db.connection` is a proxy of the thread's connection."""
    assert journal_of(connection) is journal_of(connections["default"])
