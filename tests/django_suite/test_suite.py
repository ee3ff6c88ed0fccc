"""The suite's own checks notice what they are for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.db import connection

from invalidation.changes import Change, UnknownRows
from invalidation.tracking.registry import declaration_of
from tests.django_suite.compare import differences
from tests.django_suite.judge import misses
from tests.django_suite.known import KNOWN, is_known
from tests.django_suite.tables import read_tables
from tests.shop.models import Product, Shelf

pytestmark = pytest.mark.django_db

NAME = "custom_pk.tests.Some.test"


def result(**outcomes):
    """Return a process's result."""
    return {"outcomes": outcomes, "errors": {}}


def test_equal_outcomes_are_no_difference():
    """Whatever they are."""
    same = result(a=["pass"], b=["fail"], c=["skip", "pass"])

    assert differences(same, same) == {}


@pytest.mark.parametrize("other", [["fail"], ["error"], ["skip"], ["pass", "pass"]])
def test_other_outcomes_are_a_difference(other):
    """Also a test that ran in one of the processes only."""
    found = differences(result(a=["pass"], b=["pass"]), result(a=other))

    assert found.keys() == {"a", "b"}
    assert found["b"]["tracked"] == ["not run"]


def test_failed_subtest_stands_for_its_test():
    """The test itself has no outcome then."""
    plain = {"a": ["pass"], "a (n=1)": ["pass"]}
    found = differences(result(**plain), result(**{"a (n=1)": ["fail"]}))

    assert found.keys() == {"a (n=1)"}


def test_process_that_crashed_is_a_difference():
    """Even if the other one had no tests either."""
    found = differences(result(), result() | {"crash": "exit code 1"})

    assert "exit code 1" in str(found)


def test_known_difference_is_known_by_its_error():
    """The same test with another error, or another outcome, is not."""
    name, known = next(iter(KNOWN.items()))
    difference = {"plain": ["pass"], "tracked": ["fail"], "error": f"… {known.error} …"}

    assert is_known(name, difference)
    assert not is_known(name, difference | {"error": "KeyError"})
    assert not is_known(name, difference | {"tracked": ["error"]})
    assert not is_known(NAME, difference)


@pytest.fixture
def moved(db):
    """Return a product's tables before and after its move, and the right change of it."""
    for pk in (1, 2):
        Shelf.objects.create(pk=pk)
    Product.objects.create(pk=1, shelf_id=1, maker="me")
    declaration = declaration_of(Product)
    before = read_tables(connection)[declaration]
    Product.objects.update(shelf=2)
    after = read_tables(connection)[declaration]
    images = [
        dict(Product.objects.values(*declaration.columns).get()) | {"shelf_id": shelf}
        for shelf in (1, 2)
    ]
    return declaration, before, after, Change(Product, "1", *images)


def judged(moved, *noted):
    """Return how many rows changed, and what was missed."""
    declaration, before, after, _ = moved
    return misses(declaration, before, after, list(noted), connection)


def test_changed_row_that_was_noted_is_not_missed(moved):
    """By its images, or by a reset of its model."""
    assert judged(moved, moved[3]) == (1, [])
    assert judged(moved, UnknownRows(Product, "bulk")) == (1, [])


def test_changed_row_that_was_not_noted_is_missed(moved):
    """Changes of other rows and resets of other models do not help."""
    other = replace(moved[3], pk="2")

    for noted in ((), (other,), (UnknownRows(Shelf, "bulk"),)):
        rows, missed = judged(moved, *noted)
        assert (rows, len(missed)) == (1, 1)
        assert "untold" in missed[0]


def test_row_that_was_noted_with_other_images_is_missed(moved):
    """It would be told to other topics."""
    change = moved[3]

    for wrong in (replace(change, before=change.after), replace(change, after=None)):
        _, missed = judged(moved, wrong)
        assert "told to other topics" in missed[0]
