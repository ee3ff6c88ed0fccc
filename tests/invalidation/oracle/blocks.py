"""Blocks around writes: transactions, savepoints, rollbacks, autocommit off, settings.

A step is a tuple: a write's name, two numbers and a text; or the name of a block, how it ends, and
the steps within.
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
    # A stale object refers to a deleted one, which has no key any more.
    "save() prohibited to prevent data loss due to unsaved related object",
    # F() in an object whose row is gone, so that saving it is an INSERT.
    "Failed to insert expression",
)

BLOCKS: dict[str, Callable[[World, str, Steps], None]] = {}


def block(function: Callable[[World, str, Steps], None]) -> Callable[[World, str, Steps], None]:
    """Register a function as a block."""
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
    """Return True if the database, or Django itself, refused an operation of a program.

    Any other error, like SQL that the database does not understand, is a bug.
    """
    kinds = (IntegrityError, NotUpdated, TransactionManagementError, Undone)
    kinds += (ObjectDoesNotExist, MultipleObjectsReturned)
    if isinstance(error, ValueError):
        return str(error).startswith(DJANGO_REFUSES)
    # By exact type: Django's own error of a forced update that found no row.
    return isinstance(error, kinds) or type(error) is DatabaseError


@contextmanager
def refusable() -> Iterator[None]:
    """Suppress refusals, except where PostgreSQL's transaction can then only be rolled back."""
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
    """A block without a savepoint: an error rolls back the surrounding block too.

    With autocommit off nothing is rolled back, and the transaction goes on. It is unknown how much
    of the failed write was done, so its tables are reset.
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
    """A durable block: the outermost, or refused."""
    if not connection.in_atomic_block:
        with refusable(), transaction.atomic(durable=True):
            _inside(world, ending, steps)


@block
def savepoint(world: World, ending: str, steps: Steps) -> None:
    """A manual savepoint: released, rolled back to, or left open."""
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
    """A hook that raises on the commit, so that later hooks do not run."""
    run_all(world, steps)
    if connection.in_atomic_block:
        transaction.on_commit(_raise)


@block
def by_hand(world: World, ending: str, steps: Steps) -> None:
    """Autocommit off: a transaction that is rolled back, and one that ends as `ending` says."""
    if connection.in_atomic_block:
        return
    transaction.set_autocommit(False)
    try:
        _run_by_hand(world, steps[:1], "rolled back")
        _run_by_hand(world, steps[1:], ending)
        if ending != "raised":
            # If turning autocommit on is refused, Django and SQLite's driver disagree about its
            # state.
            _run_by_hand(world, steps[:1], "rolled back")
    finally:
        transaction.set_autocommit(True)


@block
def few(world: World, ending: str, steps: Steps) -> None:
    """Limits so low that they are exceeded: rows become resets."""
    bound = "MAX_ROWS" if ending == "kept" else "MAX_TRANSACTION_ROWS"
    _within(world, override_settings(INVALIDATION={bound: 1}), steps)


@block
def hushed(world: World, ending: str, steps: Steps) -> None:
    """A `quiet()` block: rows become resets."""
    _within(world, quiet(), steps)


RESETTING = frozenset({"few", "hushed"})
"""The blocks within which resets have a cause."""


VOLATILE = frozenset({"update_by_chance"})
"""Writes whose condition matches other rows at each evaluation: the rows written were not read."""


def may_reset(step: Step) -> bool:
    """Return True if a step, or one inside it, may cause resets."""
    if step[0] in WRITES:
        return step[0] in VOLATILE
    return step[0] in RESETTING or any(map(may_reset, step[2]))


def _inside(world: World, ending: str, steps: Steps) -> None:
    run_all(world, steps)
    if ending == "raised":
        raise Undone
    if ending == "rolled back":
        transaction.set_rollback(True)


def _within(world: World, context: AbstractContextManager[Any], steps: Steps) -> None:
    # With autocommit off the steps are in a transaction already.
    around = transaction.atomic() if connection.get_autocommit() else nullcontext()
    with context, around:
        run_all(world, steps)


def _run_by_hand(world: World, steps: Steps, ending: str) -> None:
    try:
        # On SQLite it begins the transaction. A block that did so would commit it, too.
        Visit.objects.filter(pk=0).update(page="")
        run_all(world, steps)
        ended = transaction.commit if ending == "kept" else transaction.rollback
        if ending != "raised" or connection.vendor != "sqlite":
            ended()
        else:
            # An open transaction is committed then.
            transaction.set_autocommit(True)
            transaction.set_autocommit(False)
    except Exception as error:
        transaction.rollback()
        if not is_refused(error):
            raise


def _raise() -> None:
    raise Undone
