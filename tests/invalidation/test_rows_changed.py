"""The signal for other apps: `rows_changed`."""

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
    """Return what is received: sender, changes and alias."""
    calls = []

    def receiver(sender, changes, using, **_):
        calls.append((sender, changes, using))

    rows_changed.connect(receiver)
    yield calls
    rows_changed.disconnect(receiver)


def verbs(changes):
    """Spell changes by what is there before and after."""
    return {c.pk: (c.before is not None, c.after is not None) for c in changes}


def test_receiver_hears_which_rows_changed(lamp, received):
    """With what each was and is in the columns that count."""
    lamp.maker = "you"
    lamp.save()

    ((sender, changes, using),) = received
    assert (sender, using) == (Product, "default")
    (change,) = changes
    assert isinstance(change, Change)
    assert (change.model, change.pk) == (Product, "1")
    assert (change.before["maker"], change.after["maker"]) == ("me", "you")


def test_receiver_hears_once_a_model_and_transaction(lamp, received):
    """Each row once, from the beginning to the end."""
    with transaction.atomic():
        Shelf.objects.create(pk=11).save()
        lamp.delete()
        Shelf.objects.create(pk=12).delete()

    heard = {sender: verbs(changes) for sender, changes, _ in received}
    assert len(received) == 2
    assert heard == {Shelf: {"11": (False, True)}, Product: {"1": (True, False)}}


def test_receiver_may_name_its_sender(received):
    """As of any signal of Django's."""
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
def test_receiver_hears_of_unknown_rows_as_none(received):
    """Even where some of the model's are known."""
    with transaction.atomic():
        Product.objects.create(pk=7)
        Product.objects.update(maker="x")

    assert {sender: changes for sender, changes, _ in received} == {Product: None, Book: None}


def test_receiver_hears_nothing_of_what_did_not_happen(lamp, received):
    """A rollback, a row that came and went, a write that hit nothing."""
    with transaction.atomic():
        lamp.delete()
        transaction.set_rollback(True)
    with transaction.atomic():
        Shelf.objects.create(pk=11).delete()
    Product.objects.filter(maker="nobody").update(maker="x")

    assert received == []


def test_receiver_is_called_when_all_is_committed_and_nothing_sent(lamp, told, monkeypatch):
    """Behind the commit, before the messages go out and before the project's own hooks."""
    told.records()
    order, seen, prepare = [], [], commit.prepare

    def send_noted(messages, using):
        send = prepare(messages, using)
        return lambda: (order.append("sent"), send())

    def receiver(**_):
        order.append("received")
        # What it asserted would be caught, as all errors of receivers are.
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


def test_receiver_that_raises_harms_nobody(received, told, caplog):
    """It is logged; others hear, clients hear, and the writer knows nothing of it."""
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


def test_receiver_that_writes_is_heard_of_itself(received, told):
    """Its write is a transaction of its own."""
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
    """The hooks of the transaction that it hears of come behind it, and their errors are seen."""
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
    """What it begins is ended for it, and what it writes is told."""
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
    """A project's own tests."""

    def test_receiver_hears_nothing_where_nothing_commits(self) -> None:
        """There is no commit to come behind."""
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
