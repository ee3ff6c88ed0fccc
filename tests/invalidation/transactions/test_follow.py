"""Publishing what transactions commit, and nothing else."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from invalidation.exceptions import BadDeclaration
from invalidation.transactions.driver_state import is_in_transaction
from invalidation.transactions.journal import journal_of
from realtime.backends.database import records
from tests.invalidation.told import lines, moved, resets
from tests.shop.models import Country, Product, Shelf, Visit

pytestmark = pytest.mark.django_db(transaction=True)


class Refused(Exception):
    """An error that a test raises to end a block."""


@contextmanager
def ends_by(error, **options):
    """Open a block that ends with an error."""
    with pytest.raises(error), transaction.atomic(**options):
        yield


def entered(*pks):
    """Return the lines of the created shelves."""
    return set().union(*(lines((Shelf, pk), "entered", f"shelf:{pk}") for pk in pks))


def make(pk):
    """Create a shelf."""
    return Shelf.objects.create(pk=pk)


def assert_usable():
    """Assert that a connection is idle, with autocommit on and an empty journal."""
    assert connection.get_autocommit()
    assert not connection.in_atomic_block
    assert not is_in_transaction(connection)
    assert journal_of(connection).entries() == ()
    Shelf.objects.create(pk=1_000)


def test_transaction_is_told_in_one_record_when_it_commits(lamp, told):
    """Not earlier, and with each row once, from its first state to its last."""
    with transaction.atomic():
        make(11)
        for maker in ("x", "y", "z"):
            lamp.maker = maker
            lamp.save()
        assert told.records() == []

    assert told() == entered(11) | moved(lamp, ["maker:me"], ["maker:z"], ["shelf:1"])


def test_transaction_that_changed_nothing_tracked_has_no_record(told):
    """An empty record would wake every process for nothing."""
    with transaction.atomic():
        Visit.objects.create()

    assert told.records() == []


def test_write_outside_a_transaction_is_told_at_once(told):
    """It gets a transaction of its own."""
    make(11)
    make(12)

    assert told.records() == [entered(11), entered(12)]


def test_nested_blocks_are_told_with_the_outermost(told):
    """Blocks with and without savepoints are alike."""
    with transaction.atomic():
        make(11)
        with transaction.atomic():
            make(12)
            with transaction.atomic(savepoint=False):
                make(13)
        assert told.records() == []

    assert told() == entered(11, 12, 13)


def test_durable_block_is_told(told):
    """A durable block is an outermost one."""
    with transaction.atomic(durable=True):
        make(11)

    assert told() == entered(11)


def test_rolled_back_transaction_is_not_told(told):
    """Its writes are not in the next record either."""
    with ends_by(Refused):
        make(11)
        raise Refused

    assert told.records() == []
    make(12)
    assert told() == entered(12)


def test_inner_block_that_rolls_back_is_not_told(told):
    """The outer block's writes are published."""
    with transaction.atomic():
        make(11)
        with ends_by(Refused):
            make(12)
            with transaction.atomic():
                make(13)
            raise Refused
        make(14)

    assert told() == entered(11, 14)


def test_row_is_told_without_its_rolled_back_states(lamp, told):
    """A rolled-back state of the row is no part of its change."""
    with transaction.atomic():
        Product.objects.update(maker="a")
        with ends_by(Refused):
            Product.objects.update(maker="b")
            raise Refused

    assert told() == moved(lamp, ["maker:me"], ["maker:a"], ["shelf:1"])


def test_rollback_that_was_asked_for_is_not_told(told):
    """`set_rollback` drops the writes of an outermost or inner block."""
    with transaction.atomic():
        make(11)
        with transaction.atomic():
            make(12)
            transaction.set_rollback(True)
        make(13)
    assert told() == entered(11, 13)

    with transaction.atomic():
        make(14)
        transaction.set_rollback(True)
    assert told.records() == []


def test_error_without_a_savepoint_of_its_own_undoes_all(told):
    """The outer block must roll back, though the error was caught."""
    with ends_by(transaction.TransactionManagementError):
        make(11)
        with ends_by(Refused, savepoint=False):
            make(12)
            raise Refused
        make(13)

    assert told.records() == []
    assert_usable()


def test_manual_savepoints_are_followed(told):
    """Rolled back to, written after, rolled back to again, and released."""
    with transaction.atomic():
        make(11)
        outer = connection.savepoint()
        make(12)
        inner = connection.savepoint()
        make(13)
        transaction.savepoint_rollback(inner)
        make(14)
        transaction.savepoint_rollback(outer)
        make(15)
        transaction.savepoint_rollback(outer)
        make(16)
        kept = connection.savepoint()
        make(17)
        transaction.savepoint_commit(kept)

    assert told() == entered(11, 16, 17)


def test_released_savepoint_is_undone_with_the_one_around_it(told):
    """A release is not a commit."""
    with transaction.atomic():
        outer = connection.savepoint()
        inner = connection.savepoint()
        make(11)
        transaction.savepoint_commit(inner)
        transaction.savepoint_rollback(outer)
        make(12)

    assert told() == entered(12)


def test_savepoint_made_by_raw_sql_resets_what_was_written(told):
    """The journal does not know which entries came before it, so it keeps resets."""
    with transaction.atomic():
        make(11)
        with connection.cursor() as cursor:
            cursor.execute("SAVEPOINT mine")
        make(12)
        transaction.savepoint_rollback("mine")

    reset = resets(Shelf, "shelf:", "inside:")
    assert told() == {line.replace("bulk", "raw-sql") for line in reset}


def test_refused_rollback_undoes_nothing(told):
    """Django refuses `rollback()` in a block, and the block goes on."""
    with transaction.atomic():
        make(11)
        with pytest.raises(transaction.TransactionManagementError):
            transaction.rollback()
        with pytest.raises(transaction.TransactionManagementError):
            transaction.commit()

    assert told() == entered(11)


def test_hooks_that_raise_do_not_keep_it_from_being_told(told):
    """The messages are sent before the project's on_commit hooks run."""

    def hook():
        raise Refused

    with ends_by(Refused):
        transaction.on_commit(hook)
        make(11)

    assert told() == entered(11)
    assert_usable()


def test_hook_that_writes_is_told_on_its_own(told):
    """A hook's write is a transaction of its own."""
    with transaction.atomic():
        transaction.on_commit(lambda: make(12))
        make(11)

    assert told.records() == [entered(11), entered(12)]


def test_hook_runs_when_the_record_is_there(told):
    """An on_commit hook finds the stored record."""
    seen = []

    with transaction.atomic():
        transaction.on_commit(lambda: seen.append(told()))
        make(11)

    assert seen == [entered(11)]


def test_refused_statement_leaves_the_rest_of_its_transaction(told):
    """An IntegrityError in a block of its own drops that block's writes only."""
    with transaction.atomic():
        make(11)
        with ends_by(IntegrityError):
            Shelf(pk=11).save(force_insert=True)
        make(12)

    assert told() == entered(11, 12)


def test_commit_that_fails_tells_nothing(told):
    """Foreign keys are checked at the commit."""
    with ends_by(IntegrityError):
        Product.objects.create(shelf_id=404)

    assert told.records() == []
    assert not Product.objects.filter(shelf=404).exists()
    assert_usable()


def test_write_outside_a_transaction_that_fails_tells_nothing(told):
    """It fails with the same error as without capture."""
    with pytest.raises(IntegrityError):
        Product.objects.create(shelf_id=404)

    assert told.records() == []
    assert_usable()


def test_connection_closed_within_a_block_tells_nothing(told):
    """The database rolls back."""
    with ends_by(DatabaseError):
        make(11)
        connection.close()
        make(12)

    assert told.records() == []
    assert_usable()


def test_topic_function_that_raises_refuses_the_commit(told):
    """The writer gets the error; neither the change nor its message is stored."""
    with ends_by(ZeroDivisionError):
        make(11)
        Product.objects.create(name="explode")

    assert told.records() == []
    assert not Shelf.objects.filter(pk=11).exists()
    assert_usable()


def test_topic_function_that_raises_refuses_a_lone_write(told):
    """The same outside a transaction."""
    with pytest.raises(ZeroDivisionError):
        Product.objects.create(name="explode")

    assert told.records() == []
    assert not Product.objects.filter(name="explode").exists()
    assert_usable()


def test_topic_function_that_raises_does_so_at_the_write(told):
    """A TestCase, which never commits, shows the error too."""
    with ends_by(Refused):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            Product.objects.create(name="explode")
        raise Refused

    assert told.records() == []
    assert_usable()


def test_topic_function_that_writes_refuses_the_commit(told):
    """Its writes would be missing from the messages that are being made."""
    with ends_by(BadDeclaration):
        Product.objects.create(name="write")

    assert told.records() == []
    assert not Product.objects.filter(name="write").exists()
    assert not Country.objects.exists()
    assert_usable()


@pytest.fixture
def store_nothing(lamp, monkeypatch):
    """Return a function that makes storing a record fail from then on."""

    def write(*_):
        raise Refused

    return lambda: monkeypatch.setattr(records, "write", write)


@pytest.mark.parametrize(
    "write",
    [
        lambda: make(11),
        lambda: Product.objects.update(maker="x"),
        lambda: Product(pk=1, maker="x").save(),
        lambda: Product.objects.all()._raw_delete("default"),
        lambda: Product.objects.get().delete(),
        lambda: Shelf.objects.bulk_create([Shelf(pk=11), Shelf(pk=12)]),
    ],
    ids=["create", "update", "save", "raw delete", "delete", "bulk create"],
)
def test_lone_write_and_its_record_are_one_unit(write, store_nothing):
    """If the record cannot be stored, the write is rolled back."""
    store_nothing()

    with pytest.raises(Refused):
        write()

    assert list(Product.objects.values_list("pk", "maker")) == [(1, "me")]
    assert set(Shelf.objects.values_list("pk", flat=True)) == {1, 2}


def test_transaction_and_its_record_are_one_unit(store_nothing):
    """If the record cannot be stored, the transaction is rolled back and its hooks do not run."""
    hooks = []
    store_nothing()

    with ends_by(Refused):
        transaction.on_commit(lambda: hooks.append(1))
        make(11)

    assert not Shelf.objects.filter(pk=11).exists()
    assert hooks == []
    assert connection.get_autocommit()
    assert not is_in_transaction(connection)
