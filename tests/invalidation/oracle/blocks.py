"""What stands around writes: transactions, savepoints, rollbacks, autocommit off, settings.

A step is a tuple: a write's name, two numbers and a text; or the name of one of these, how it ends,
and the steps within.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from django.core import exceptions
from django.core.exceptions import MultipleObjectsReturned, ObjectDoesNotExist
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError
from django.test import override_settings

from invalidation import quiet
from invalidation.transactions.driver_state import has_failed
from tests.invalidation.oracle.world import Undone, World
from tests.invalidation.oracle.writes import WRITES
from tests.shop.models import Visit

Step = tuple[Any, ...]
Steps = Sequence[Step]

ENDINGS = ("kept", "raised", "rolled back")

NotUpdated: Any = getattr(exceptions, "ObjectNotUpdated", Undone)
"""Django 6 has a class of its own for an update by force that found no row."""

DJANGO_REFUSES = (
    # A stale object refers to one that was deleted, and has no key any more.
    "save() prohibited to prevent data loss due to unsaved related object",
    # F() in an object whose row is gone, so that saving it inserts.
    "Failed to insert expression",
)

BLOCKS: dict[str, Callable[[World, str, Steps], None]] = {}


def block(function: Callable[[World, str, Steps], None]) -> Callable[[World, str, Steps], None]:
    """Take a function among the blocks."""
    BLOCKS[function.__name__] = function
    return function


def run(world: World, step: Step) -> None:
    """Run one step."""
    name, *arguments = step
    (WRITES.get(name) or BLOCKS[name])(world, *arguments)


def run_all(world: World, steps: Steps) -> None:
    """Run several."""
    for step in steps:
        run(world, step)


def is_refused(error: Exception) -> bool:
    """Is this the database's refusal, or Django's own, of what a program asked for?

    Anything else, like SQL that the database does not understand, is somebody's mistake.
    """
    kinds = (IntegrityError, NotUpdated, TransactionManagementError, Undone)
    kinds += (ObjectDoesNotExist, MultipleObjectsReturned)
    if isinstance(error, ValueError):
        return str(error).startswith(DJANGO_REFUSES)
    # By exact type: what Django itself says of an update by force that found no row.
    return isinstance(error, kinds) or type(error) is DatabaseError


@contextmanager
def refusable() -> Iterator[None]:
    """Let refusals pass, but to whoever can roll back what PostgreSQL has given up for one."""
    try:
        yield
    except Exception as error:
        if not is_refused(error):
            raise
        if has_failed(connection) and not connection.in_atomic_block:
            raise Undone from error


@block
def atomic(world: World, ending: str, steps: Steps) -> None:
    with refusable(), transaction.atomic():
        _inside(world, ending, steps)


@block
def joined(world: World, ending: str, steps: Steps) -> None:
    """Without a savepoint: an error undoes what is around it as well.

    With autocommit off nothing is undone, and the transaction goes on. How much the write that
    failed has written is not known, so its tables are reset.
    """
    with refusable():
        try:
            with transaction.atomic(savepoint=False):
                _inside(world, ending, steps)
        except Exception:
            world.went_on |= not connection.get_autocommit()
            raise


@block
def durable(world: World, ending: str, steps: Steps) -> None:
    """The outermost, or refused."""
    if not connection.in_atomic_block:
        with refusable(), transaction.atomic(durable=True):
            _inside(world, ending, steps)


@block
def savepoint(world: World, ending: str, steps: Steps) -> None:
    """Taken by hand: released, rolled back to, or left alone."""
    taken = connection.savepoint()  # `transaction.savepoint` is deprecated in Django 6.1
    try:
        run_all(world, steps)
    except Exception:
        if not connection.needs_rollback:
            transaction.savepoint_rollback(taken)
        raise
    if ending == "rolled back":
        transaction.savepoint_rollback(taken)
    elif ending == "kept":
        transaction.savepoint_commit(taken)


@block
def hook(world: World, ending: str, steps: Steps) -> None:
    """A hook that raises on the commit, and takes the later ones with it."""
    run_all(world, steps)
    if connection.in_atomic_block:
        transaction.on_commit(_raise)


@block
def by_hand(world: World, ending: str, steps: Steps) -> None:
    """Autocommit off, with a transaction that is rolled back before and one behind."""
    if connection.in_atomic_block:
        return
    transaction.set_autocommit(False)
    try:
        _run_by_hand(world, steps[:1], "rolled back")
        _run_by_hand(world, steps[1:], ending)
        if ending != "raised":
            # Refused to turn autocommit on, Django and SQLite's driver disagree on whether it is.
            _run_by_hand(world, steps[:1], "rolled back")
    finally:
        transaction.set_autocommit(True)


@block
def few(world: World, ending: str, steps: Steps) -> None:
    """Bounds so low that they are exceeded: rows become resets."""
    bound = "MAX_ROWS" if ending == "kept" else "MAX_TRANSACTION_ROWS"
    _within(world, override_settings(INVALIDATION={bound: 1}), steps)


@block
def hushed(world: World, ending: str, steps: Steps) -> None:
    """Rows become resets because it is asked for."""
    _within(world, quiet(), steps)


RESETTING = frozenset({"few", "hushed"})
"""The blocks within which resets have a cause."""


def may_reset(step: Step) -> bool:
    """May a step, or one inside it, be told by resets?"""
    if step[0] in WRITES:
        return False
    return step[0] in RESETTING or any(map(may_reset, step[2]))


def _inside(world: World, ending: str, steps: Steps) -> None:
    run_all(world, steps)
    if ending == "raised":
        raise Undone
    if ending == "rolled back":
        transaction.set_rollback(True)


def _within(world: World, context: AbstractContextManager[Any], steps: Steps) -> None:
    # One transaction at any rate.
    around = transaction.atomic() if connection.get_autocommit() else nullcontext()
    with context, around:
        run_all(world, steps)


def _run_by_hand(world: World, steps: Steps, ending: str) -> None:
    try:
        # Begins the transaction on SQLite. A block that did would commit it, too.
        Visit.objects.filter(pk=0).update(page="")
        run_all(world, steps)
        ended = transaction.commit if ending == "kept" else transaction.rollback
        if ending != "raised" or connection.vendor != "sqlite":
            ended()
        else:
            # What is open then is committed.
            transaction.set_autocommit(True)
            transaction.set_autocommit(False)
    except Exception as error:
        transaction.rollback()
        if not is_refused(error):
            raise


def _raise() -> None:
    raise Undone
