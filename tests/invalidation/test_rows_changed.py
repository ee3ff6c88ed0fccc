"""The signal `rows_changed`."""

from __future__ import annotations

import logging

import pytest
from django.db import connection, transaction
from django.test import TestCase, override_settings

from invalidation import Change, rows_changed
from invalidation.transactions import commit
from tests.invalidation.told import lines
from tests.shop.models import Book, Product, Shelf

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def received(lamp):
    """Return the list of received (sender, changes, alias)."""
    calls = []

    def receiver(sender, changes, using, **_):
        calls.append((sender, changes, using))

    rows_changed.connect(receiver)
    yield calls
    rows_changed.disconnect(receiver)


def verbs(changes):
    """Return, by primary key, whether there are images before and after."""
    return {c.pk: (c.before is not None, c.after is not None) for c in changes}


def test_receiver_gets_the_changed_rows(lamp, received):
    """A Change has the row's tracked columns before and after."""
    lamp.maker = "you"
    lamp.save()

    ((sender, changes, using),) = received
    assert (sender, using) == (Product, "default")
    (change,) = changes
    assert isinstance(change, Change)
    assert (change.model, change.pk) == (Product, "1")
    assert (change.before["maker"], change.after["maker"]) == ("me", "you")


def test_receiver_is_called_once_a_model_and_transaction(lamp, received):
    """Each row is in one Change, from its first state to its last."""
    with transaction.atomic():
        Shelf.objects.create(pk=11).save()
        lamp.delete()
        Shelf.objects.create(pk=12).delete()

    heard = {sender: verbs(changes) for sender, changes, _ in received}
    assert len(received) == 2
    assert heard == {Shelf: {"11": (False, True)}, Product: {"1": (True, False)}}


def test_receiver_may_name_its_sender(received):
    """`sender` filters, as with Django's signals."""
    heard = []

    def receiver(sender, **_):
        heard.append(sender)

    rows_changed.connect(receiver, sender=Shelf)
    try:
        Shelf.objects.create(pk=11)
        Product.objects.create(pk=12)
    finally:
        rows_changed.disconnect(receiver, sender=Shelf)

    assert heard == [Shelf]


@override_settings(INVALIDATION={"MAX_ROWS": 1})
def test_receiver_gets_none_for_unknown_rows(received):
    """`changes` is None even if some of the model's rows are known."""
    with transaction.atomic():
        Product.objects.create(pk=7)
        Product.objects.update(maker="x")

    assert {sender: changes for sender, changes, _ in received} == {Product: None, Book: None}


def test_receiver_is_not_called_without_committed_changes(lamp, received):
    """A rollback, a row created and deleted, or a write of no rows sends no signal."""
    with transaction.atomic():
        lamp.delete()
        transaction.set_rollback(True)
    with transaction.atomic():
        Shelf.objects.create(pk=11).delete()
    Product.objects.filter(maker="nobody").update(maker="x")

    assert received == []


def test_receiver_is_called_after_the_commit_and_before_the_messages(lamp, told, monkeypatch):
    """The signal comes after the commit, before the messages and the project's on_commit hooks."""
    told.records()
    order, seen, prepare = [], [], commit.prepare

    def send_noted(messages, using):
        send = prepare(messages, using)
        return lambda: (order.append("sent"), send())

    def receiver(**_):
        order.append("received")
        # An assertion in the receiver would be caught, like every error of a receiver.
        seen.extend([connection.get_autocommit(), connection.in_atomic_block, told()])

    monkeypatch.setattr(commit, "prepare", send_noted)
    rows_changed.connect(receiver)
    try:
        with transaction.atomic():
            transaction.on_commit(lambda: order.append("hook"))
            Shelf.objects.create(pk=11)
            order.append("written")
    finally:
        rows_changed.disconnect(receiver)

    assert order == ["written", "received", "sent", "hook"]
    assert seen == [True, False, lines((Shelf, 11), "entered", "shelf:11")]


def test_receiver_that_raises_affects_nothing_else(received, told, caplog):
    """The error is logged; other receivers, clients and the writer are not affected."""
    told.records()

    def receiver(**_):
        raise ZeroDivisionError("a receiver's own mistake")

    rows_changed.connect(receiver)
    try:
        with caplog.at_level(logging.ERROR, "invalidation.commit"):
            Shelf.objects.create(pk=11)
    finally:
        rows_changed.disconnect(receiver)

    assert [sender for sender, _, _ in received] == [Shelf]
    assert told() == lines((Shelf, 11), "entered", "shelf:11")
    (record,) = [r for r in caplog.records if r.name == "invalidation.commit"]
    assert "rows_changed" in record.getMessage()
    assert isinstance(record.exc_info[1], ZeroDivisionError)


def test_receiver_that_writes_is_called_for_its_own_write(received, told):
    """Its write is a transaction with a signal of its own."""
    told.records()

    def receiver(sender, **_):
        if sender is Shelf:
            Product.objects.create(pk=7, maker="x")

    rows_changed.connect(receiver)
    try:
        Shelf.objects.create(pk=11)
    finally:
        rows_changed.disconnect(receiver)

    assert [sender for sender, _, _ in received] == [Shelf, Product]
    assert set().union(*told.records()) == lines((Shelf, 11), "entered", "shelf:11") | lines(
        (Product, 7), "entered", "maker:x"
    )


def test_receiver_that_writes_leaves_hooks_to_their_own_transaction(lamp):
    """The first transaction's hooks run after the receiver, and their errors are raised."""
    order = []

    def receiver(sender, **_):
        if sender is Shelf:
            with transaction.atomic():
                transaction.on_commit(lambda: order.append("receiver's hook"))
                Product.objects.create(pk=7)
            order.append("received")

    def hook():
        order.append("hook")
        raise ZeroDivisionError

    def write():
        with transaction.atomic():
            transaction.on_commit(hook)
            Shelf.objects.create(pk=11)

    rows_changed.connect(receiver)
    try:
        with pytest.raises(ZeroDivisionError):
            write()
    finally:
        rows_changed.disconnect(receiver)

    assert order == ["receiver's hook", "received", "hook"]


def test_receiver_may_query_where_autocommit_is_off(lamp, told):
    """The transaction that the receiver begins is committed, and its writes are published."""
    told.records()
    found = []

    def receiver(sender, **_):
        found.append(Product.objects.count())
        if sender is Shelf:
            Product.objects.create(pk=7, maker="x")

    rows_changed.connect(receiver)
    transaction.set_autocommit(False)
    try:
        Shelf.objects.create(pk=11)
        transaction.commit()
        transaction.set_autocommit(True)
    finally:
        rows_changed.disconnect(receiver)
        if not transaction.get_autocommit():
            transaction.rollback()
            transaction.set_autocommit(True)

    assert found == [1, 2]
    assert set().union(*told.records()) == lines((Shelf, 11), "entered", "shelf:11") | lines(
        (Product, 7), "entered", "maker:x"
    )


class NothingCommitsTests(TestCase):
    """A project's own tests, which do not commit."""

    def test_receiver_is_not_called_where_nothing_commits(self) -> None:
        """Without a commit there is no signal."""
        calls = []

        def receiver(sender, **_):
            calls.append(sender)

        rows_changed.connect(receiver)
        try:
            with self.captureOnCommitCallbacks(execute=True):
                Shelf.objects.create(pk=11)
        finally:
            rows_changed.disconnect(receiver)

        self.assertEqual(calls, [])
