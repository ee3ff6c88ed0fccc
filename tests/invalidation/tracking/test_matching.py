"""Turning changes into messages."""

from __future__ import annotations

import pytest

from invalidation.changes import Change
from invalidation.tracking.computed import read_computed
from invalidation.tracking.matching import messages_for, topics_of, verbs_of
from invalidation.tracking.registry import Declaration
from invalidation.tracking.templates import read_template
from tests.invalidation.told import lines_of
from tests.shop.models import Country, Product, Shelf


def made_here(product):
    """Return the topic of what the shop makes itself."""
    return ["made:here"] if product.maker == "me" else []


PRODUCT = Declaration(
    Product,
    (read_template("shelf:{shelf_id}", Product), read_template("maker:{maker}", Product)),
    (
        read_computed(
            lambda row: ["made:here"] if row.maker == "me" else [], Product, ["maker"], ["made"]
        ),
    ),
)
SHELF = Declaration(Shelf, (read_template("shelf:{id}", Shelf),))
OWN = {"model:shop.product", "object:shop.product/7"}


def row(shelf, maker):
    """Return a product's image."""
    return {"shelf_id": shelf, "maker": maker}


def test_row_belongs_to_all_its_topics():
    """Its model's, its own, and those of templates and functions."""
    assert topics_of(PRODUCT, "7", row(1, "me")) == OWN | {"shelf:1", "maker:me", "made:here"}


def test_no_row_belongs_to_no_topic():
    """There is no row before its insert and after its delete."""
    assert topics_of(PRODUCT, "7", None) == set()


def test_null_gives_no_topic():
    """A product without a shelf has no shelf topic."""
    assert topics_of(PRODUCT, "7", row(None, "")) == OWN


def test_key_is_percent_encoded_in_its_own_topic():
    """A text key may contain any character."""
    topics = topics_of(Declaration(Country), "a/b c", {})

    assert topics == {"model:shop.country", "object:shop.country/a%2Fb%20c"}


def test_empty_key_is_told_under_its_models_topic():
    """A topic cannot contain an empty key, but the write must succeed."""
    assert topics_of(Declaration(Country), "", {}) == {"model:shop.country"}


@pytest.mark.parametrize(
    ("before", "after", "verbs"),
    [
        (None, row(1, "you"), dict.fromkeys([*OWN, "shelf:1", "maker:you"], "entered")),
        (row(1, "you"), None, dict.fromkeys([*OWN, "shelf:1", "maker:you"], "left")),
        (row(1, "you"), row(1, "you"), dict.fromkeys([*OWN, "shelf:1", "maker:you"], "updated")),
        (
            row(1, "you"),
            row(2, "you"),
            {
                **dict.fromkeys([*OWN, "maker:you"], "updated"),
                "shelf:1": "left",
                "shelf:2": "entered",
            },
        ),
        (
            row(1, ""),
            row(None, "me"),
            {
                **dict.fromkeys(OWN, "updated"),
                "shelf:1": "left",
                "maker:me": "entered",
                "made:here": "entered",
            },
        ),
    ],
)
def test_verbs_say_what_a_change_is_to_each_topic(before, after, verbs):
    """Topics before and after: updated; only before: left; only after: entered."""
    assert verbs_of(PRODUCT, Change(Product, "7", before, after)) == verbs


def test_topic_has_one_message_however_many_rows():
    """Rows of two models may share a topic."""
    changes = [
        Change(Product, "7", None, row(1, "you")),
        Change(Product, "8", row(1, "you"), None),
        Change(Shelf, "1", {"id": 1}, {"id": 1}),
    ]

    messages = messages_for(changes, {Product: PRODUCT, Shelf: SHELF}.get)

    assert len({m.topic for m in messages}) == len(messages)
    (shelf,) = [m for m in messages if m.topic == "shelf:1"]
    assert lines_of(shelf) == {
        "shelf:1 shop.product 7 entered",
        "shelf:1 shop.product 8 left",
        "shelf:1 shop.shelf 1 updated",
    }


def test_nothing_changed_gives_no_message():
    """No changes, no messages."""
    assert messages_for([], {}.get) == []
