"""Publishing while autocommit is off and the caller commits by hand."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction

from invalidation.transactions import commit
from tests.invalidation.told import lines, lines_of, resets
from tests.shop.models import Book, Product, Shelf

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def told(told):
    """Turn autocommit off after the arranging, and on again at the end."""
    transaction.set_autocommit(False)
    yield told
    if not connection.get_autocommit():
        connection.rollback()
        transaction.set_autocommit(True)


def entered(*pks):
    """Return the lines of the created shelves."""
    return set().union(*(lines((Shelf, pk), "entered", f"shelf:{pk}") for pk in pks))


def make(pk):
    """Create a shelf."""
    return Shelf.objects.create(pk=pk)


def test_commit_by_hand_is_told(told):
    """One record holds all writes since the last commit."""
    make(11)
    make(12)
    transaction.commit()
    assert told() == entered(11, 12)

    make(13)
    transaction.commit()
    assert told() == entered(13)


def test_rollback_by_hand_is_not_told(told):
    """The rolled-back writes are not in the next record either."""
    make(11)
    transaction.rollback()
    make(12)
    transaction.commit()

    assert told() == entered(12)


@pytest.mark.sqlite
def test_turning_autocommit_on_is_told(told):
    """It commits the open transaction."""
    make(11)

    transaction.set_autocommit(True)

    assert Shelf.objects.filter(pk=11).exists()
    assert told() == entered(11)


@pytest.mark.sqlite
def test_turning_autocommit_on_that_failed_may_be_tried_again(told):
    """The earlier writes are published with the one that repairs the commit."""
    bed = Product.objects.create(pk=5, shelf_id=404)
    with pytest.raises(IntegrityError):
        transaction.set_autocommit(True)

    make(404)
    transaction.set_autocommit(True)

    made = entered(404) | lines(bed, "entered", "shelf:404")
    assert set().union(*told.records()) == made


@pytest.mark.sqlite
def test_turning_autocommit_on_that_failed_leaves_it_off(told):
    """The driver's autocommit is off too; else it would commit each statement unpublished."""
    Product.objects.create(pk=5, shelf_id=404)
    with pytest.raises(IntegrityError):
        transaction.set_autocommit(True)
    transaction.rollback()

    make(11)
    transaction.rollback()
    make(12)
    transaction.commit()

    assert told() == entered(12)
    assert not Shelf.objects.filter(pk=11).exists()


@pytest.mark.sqlite
def test_savepoint_that_sqlite_does_not_make_undoes_nothing(told):
    """Outside a block SQLite makes no savepoints; a rollback to one or its release does nothing."""
    savepoint = connection.savepoint()
    make(11)
    transaction.savepoint_rollback(savepoint)
    transaction.savepoint_commit(savepoint)
    assert told.records() == []
    transaction.commit()

    assert Shelf.objects.filter(pk=11).exists()
    assert told() == entered(11)


@pytest.mark.postgres
def test_turning_autocommit_on_may_be_refused(told):
    """PostgreSQL refuses it in an open transaction, which may still be committed or rolled back."""
    make(11)
    with pytest.raises(ProgrammingError):
        transaction.set_autocommit(True)
    transaction.rollback()
    assert told.records() == []

    make(12)
    with pytest.raises(ProgrammingError):
        transaction.set_autocommit(True)
    transaction.commit()
    assert set().union(*told.records()) == entered(12)


@pytest.mark.postgres
def test_savepoint_outside_a_block_is_followed(told):
    """Rolling back to it drops the later writes."""
    make(11)
    savepoint = connection.savepoint()
    make(12)
    transaction.savepoint_rollback(savepoint)
    transaction.commit()

    assert told() == entered(11)


@pytest.mark.postgres
def test_block_does_not_end_the_transaction(told):
    """Its writes are published when the transaction commits."""
    with transaction.atomic():
        make(11)
    assert told.records() == []
    transaction.commit()
    assert told() == entered(11)

    with transaction.atomic():
        make(12)
    transaction.rollback()
    assert told.records() == []


@pytest.mark.sqlite
def test_block_that_begins_the_transaction_is_told_when_it_ends(told):
    """Its savepoint began the transaction: releasing it commits, and no rollback undoes it."""
    with transaction.atomic():
        make(11)
        with transaction.atomic():
            make(12)
    transaction.rollback()

    assert Shelf.objects.filter(pk__in=[11, 12]).count() == 2
    assert told() == entered(11, 12)


def test_block_within_the_transaction_is_told_with_it(told):
    """Its savepoint is an ordinary one."""
    make(11)
    with transaction.atomic():
        make(12)
    with transaction.atomic():
        make(13)
        transaction.set_rollback(True)
    assert told.records() == []
    transaction.commit()

    assert told() == entered(11, 12)


@pytest.mark.sqlite
def test_commit_that_failed_may_be_tried_again(told):
    """The earlier writes are published with the one that repairs the commit."""
    bed = Product.objects.create(pk=5, shelf_id=404)
    with pytest.raises(IntegrityError):
        transaction.commit()

    make(404)
    transaction.commit()

    made = entered(404) | lines(bed, "entered", "shelf:404")
    assert set().union(*told.records()) == made


@pytest.mark.sqlite
def test_commit_that_failed_is_sent_when_it_succeeds(told, monkeypatch):
    """A backend that stores nothing gets all messages after the commit, and none before."""
    sent = []
    monkeypatch.setattr(commit, "prepare", lambda messages, using: lambda: sent.extend(messages))
    bed = Product.objects.create(pk=5, shelf_id=404)
    with pytest.raises(IntegrityError):
        transaction.commit()
    assert sent == []

    make(404)
    transaction.commit()

    made = entered(404) | lines(bed, "entered", "shelf:404")
    assert set().union(*map(lines_of, sent)) == made


@pytest.mark.postgres
def test_commit_that_failed_is_not_told(told):
    """On PostgreSQL it was a rollback; the next record holds none of its writes."""
    Product.objects.create(pk=5, shelf_id=404)
    with pytest.raises(IntegrityError):
        transaction.commit()

    make(11)
    transaction.commit()

    assert told() == entered(11)


@pytest.mark.sqlite
def test_statement_that_failed_halfway_resets_its_models(told):
    """Django has updated the child's row when the parent's update fails, and does not undo it."""
    Book.objects.create(pk=5, author="eve")
    transaction.commit()
    told.records()
    transaction.commit()

    with pytest.raises(IntegrityError):
        Book.objects.filter(pk=5).update(author="ada", hidden=None)
    transaction.commit()

    assert told() >= resets(Book, "author:")
    assert Book.objects.get().author == "ada"


def test_publishing_needs_no_hooks(told):
    """Django refuses on_commit hooks while autocommit is off; publishing does not need them."""
    with pytest.raises(transaction.TransactionManagementError):
        transaction.on_commit(lambda: None)
    make(11)
    transaction.commit()

    assert told() == entered(11)
