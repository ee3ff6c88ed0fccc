"""The shipped test helpers, in each kind of test that a project may have."""

from __future__ import annotations

from threading import Thread

import pytest
from django.db import connection, connections, transaction
from django.test import TestCase, TransactionTestCase, override_settings

from invalidation import invalidate, quiet
from invalidation.testing import (
    assert_invalidates,
    assert_not_invalidates,
    capture_invalidations,
)
from realtime.backends.memory import MemoryPubSub
from tests.invalidation.told import lines, lines_of
from tests.shop.models import Product, Shelf


class Broken(MemoryPubSub):
    """A backend whose `prepare()` fails."""

    def prepare(self, messages, using):
        """Raise."""
        raise ZeroDivisionError("no message may come here")


BROKEN = {"PUBSUB": {"BACKEND": f"{__name__}.Broken"}}
OF_SHELF = {"model:shop.shelf", "object:shop.shelf/11", "shelf:11"}


def make(pk=11):
    """Make a shelf."""
    return Shelf.objects.create(pk=pk)


class UsualTests(TestCase):
    """Tests in a transaction that never commits."""

    @classmethod
    def setUpTestData(cls) -> None:
        cls.shelf = Shelf.objects.create(pk=1)

    def test_block_tells_what_it_wrote(self) -> None:
        """Writes before and after the block are left out."""
        Product.objects.create(pk=1, shelf=self.shelf)
        with capture_invalidations() as told:
            self.assertEqual(told.topics, set())
            make()
            self.assertEqual(told.topics, OF_SHELF)
        make(12)

        self.assertEqual(told.topics, OF_SHELF)
        self.assertEqual(
            set().union(*map(lines_of, told.messages)), lines((Shelf, 11), "entered", "shelf:11")
        )

    def test_row_from_before_the_block_has_its_state_then(self) -> None:
        """A row's state before is that at the beginning of the block."""
        lamp = Product.objects.create(pk=1, shelf=self.shelf, maker="me")
        with capture_invalidations() as told:
            lamp.maker = "you"
            lamp.save()

        verbs = {str(m.topic): m.changes["shop.product"]["1"] for m in told.messages}
        self.assertEqual((verbs["maker:me"], verbs["maker:you"]), ("left", "entered"))
        self.assertEqual(verbs["shelf:1"], "updated")

    def test_rolled_back_savepoints_are_not_told(self) -> None:
        """Savepoints of blocks and manual ones drop their changes."""
        with capture_invalidations() as told:
            with transaction.atomic():
                make(12)
                transaction.set_rollback(True)
            savepoint = connection.savepoint()
            make(13)
            transaction.savepoint_rollback(savepoint)
            make()

        self.assertEqual(told.topics, OF_SHELF)

    def test_rollback_to_before_the_block_tells_nothing_older(self) -> None:
        """Changes from before the block do not appear again after a rollback."""
        savepoint = connection.savepoint()
        make(12)
        with capture_invalidations() as told:
            transaction.savepoint_rollback(savepoint)
            make()

        self.assertEqual(told.topics, OF_SHELF)

    def test_blocks_may_be_nested(self) -> None:
        """Each block has its own messages."""
        with capture_invalidations() as outer:
            make(12)
            with capture_invalidations() as inner:
                make()

        self.assertEqual(inner.topics, OF_SHELF)
        self.assertIn("shelf:12", outer.topics)
        self.assertLess(inner.topics, outer.topics)

    def test_told_topics_are_asserted(self) -> None:
        """One topic or several can be asserted."""
        with assert_invalidates("shelf:11", "object:shop.shelf/11") as told:
            make()

        self.assertEqual(told.topics, OF_SHELF)

    def test_untold_topic_fails_by_name(self) -> None:
        """The failure names the missing topics and those that got messages."""
        with (
            self.assertRaisesMessage(
                AssertionError,
                "expected messages to ['shelf:12'], got messages to ['model:shop.shelf',"
                " 'object:shop.shelf/11', 'shelf:11']",
            ),
            assert_invalidates("shelf:11", "shelf:12"),
        ):
            make()

    def test_reset_of_a_family_tells_its_topics(self) -> None:
        """A reset of the family reaches the clients of its topics."""
        families = ("shelf:5", "inside:7", "object:shop.shelf/9", "model:shop.shelf")
        with assert_invalidates(*families), quiet():
            make()
        with assert_invalidates("list:5"):
            invalidate("list:")
        with (
            self.assertRaisesMessage(
                AssertionError, "expected no messages, got messages to ['list:5']"
            ),
            assert_not_invalidates("list:5"),
        ):
            invalidate("list:")

    def test_one_topic_does_not_tell_its_family(self) -> None:
        """A message to one topic counts neither for its family nor for other topics."""
        with assert_not_invalidates("shelf:5", "shelf:"):
            make()

    def test_absence_of_messages_is_asserted(self) -> None:
        """`assert_not_invalidates()` takes some topics, or none for all."""
        with assert_not_invalidates("maker:me"):
            make()
        with assert_not_invalidates():
            Shelf.objects.filter(pk=404).update(name="x")
        with (
            self.assertRaisesMessage(
                AssertionError, "expected no messages, got messages to ['model:shop.shelf'"
            ),
            assert_not_invalidates(),
        ):
            make(12)
        with (
            self.assertRaisesMessage(
                AssertionError, "expected no messages, got messages to ['shelf:13']"
            ),
            assert_not_invalidates("shelf:13", "maker:me"),
        ):
            make(13)

    def test_no_topic_to_assert_is_a_mistake(self) -> None:
        """An assertion without topics would always pass."""
        with self.assertRaisesMessage(TypeError, "at least one topic"), assert_invalidates():
            make()

    def test_error_of_the_block_is_the_tests(self) -> None:
        """An error in the block is raised, not replaced by the assertion's."""
        with self.assertRaises(ZeroDivisionError), assert_invalidates("shelf:11"):
            raise ZeroDivisionError

    def test_hooks_may_be_run(self) -> None:
        """Writes of on_commit hooks are captured too."""
        with capture_invalidations() as told, self.captureOnCommitCallbacks(execute=True):
            transaction.on_commit(make)

        self.assertEqual(told.topics, OF_SHELF)

    @override_settings(REALTIME=BROKEN)
    def test_no_backend_is_needed(self) -> None:
        """The backend gets no messages where nothing commits."""
        with assert_invalidates("shelf:11"):
            make()


class CommittingTests(TransactionTestCase):
    """Tests whose writes commit."""

    def test_committed_and_open_transactions_are_told(self) -> None:
        """Messages are in the order of their transactions."""
        with capture_invalidations() as told:
            make(12)
            with transaction.atomic():
                make()
                self.assertIn("shelf:11", told.topics)

        self.assertEqual(
            [str(m.topic) for m in told.messages if m.topic.family == "shelf:"],
            ["shelf:12", "shelf:11"],
        )
        self.assertEqual(len(told.messages), 6)

    def test_rolled_back_transaction_is_not_told(self) -> None:
        """The messages disappear at the rollback."""
        with capture_invalidations() as told, transaction.atomic():
            make()
            self.assertEqual(told.topics, OF_SHELF)
            transaction.set_rollback(True)

        self.assertEqual(told.topics, set())

    @override_settings(REALTIME=BROKEN)
    def test_backend_that_fails_fails_the_commit(self) -> None:
        """A failing backend raises at the commit, as without the helpers."""
        with self.assertRaises(ZeroDivisionError), capture_invalidations() as told:
            make()

        self.assertEqual(told.topics, set())
        self.assertFalse(Shelf.objects.exists())


@pytest.mark.django_db
def test_kit_works_in_pytests_usual_tests():
    """pytest-django rolls back its tests too."""
    with assert_invalidates("shelf:11"):
        make()


@pytest.mark.django_db(transaction=True)
def test_kit_captures_commits_of_other_threads():
    """Committed transactions of other threads count, open ones do not."""

    def work():
        with transaction.atomic():
            make()
        try:
            with transaction.atomic():
                make(12)
                raise ZeroDivisionError
        except ZeroDivisionError:
            connections.close_all()

    with capture_invalidations() as told:
        thread = Thread(target=work)
        thread.start()
        thread.join()

    assert told.topics == OF_SHELF


@pytest.mark.django_db(transaction=True)
def test_kit_captures_nothing_after_its_block():
    """The block's messages are final, and its listener is removed."""
    with capture_invalidations() as told:
        make()
    make(12)

    assert told.topics == OF_SHELF
