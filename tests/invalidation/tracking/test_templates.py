"""Parsing and filling topic templates."""

from __future__ import annotations

import pytest

from invalidation.exceptions import BadDeclaration
from invalidation.tracking.templates import read_template
from tests.shop.models import Book, Product, Stock


def test_template_is_filled_from_a_row():
    """`{field}` is replaced by the column's value."""
    template = read_template("shelf:{shelf_id}", Product)

    assert template.fill({"shelf_id": 5}) == "shelf:5"
    assert template.columns == {"shelf_id"}
    assert template.family == "shelf:"


def test_template_joins_fields_and_literal_parts():
    """A key's parts are joined by a slash; a part without braces stands for itself."""
    template = read_template("price:{shelf_id}/under/{price}", Product)

    assert template.fill({"shelf_id": 5, "price": "1.50"}) == "price:5/under/1.50"


def test_template_percent_encodes_values():
    """Any text has one spelling as a part, and a slash in it does not end the part."""
    template = read_template("maker:{maker}", Product)

    assert template.fill({"maker": "a/b:c d%é"}) == "maker:a%2Fb%3Ac%20d%25%C3%A9"


@pytest.mark.parametrize("nothing", [None, ""])
def test_template_without_a_value_gives_no_topic(nothing):
    """A null or an empty text gives no topic."""
    template = read_template("price:{shelf_id}/{maker}", Product)

    assert template.fill({"shelf_id": 5, "maker": nothing}) is None


def test_template_keeps_values_that_are_only_false():
    """Zero and False are values."""
    template = read_template("x:{shelf_id}/{hidden}", Product)

    assert template.fill({"shelf_id": 0, "hidden": False}) == "x:0/False"


def test_template_takes_parts_of_a_composite_key():
    """The columns of a composite key are ordinary columns."""
    template = read_template("stock:{shop_number}/{product}", Stock)

    assert template.fill({"shop_number": 1, "product": "nail"}) == "stock:1/nail"


@pytest.mark.parametrize(
    ("text", "model", "what"),
    [
        ("shelf:{shelf}", Product, "write {shelf_id}"),
        ("shelf:{pk}", Product, "write {id}"),
        ("shelf:{shelff}", Product, "its columns are"),
        ("shelf:{tags}", Product, "its columns are"),
        ("shelf:{shelf_id}", Book, "column of the parent table: track Product with this topic"),
        ("shelf:{shelf_id__name}", Product, "its columns are"),
        ("shelf:{shelf.name}", Product, "its columns are"),
    ],
)
def test_template_with_an_unknown_field_is_refused_by_name(text, model, what):
    """The error names field and model, and the field to write instead."""
    name = text.partition("{")[2].rstrip("}")

    with pytest.raises(BadDeclaration) as error:
        read_template(text, model)

    assert repr(name) in str(error.value)
    assert model._meta.label in str(error.value)
    assert what in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "shelf:no-{shelf_id}",
        "shelf:{shelf_id}-no",
        "shelf:{shelf_id}{id}",
        "shelf:{}",
        "shelf:{0}",
        "shelf:{shelf_id!r}",
        "shelf:{shelf_id:>5}",
        "shelf:{shelf_id",
        "shelf:{shelf_id}/",
        "shelf:/{shelf_id}",
        "shelf:",
        "shelf",
        ":{shelf_id}",
        "",
        "my shelf:{shelf_id}",
        "model:{shelf_id}",
        "object:{shelf_id}",
    ],
)
def test_malformed_template_is_refused(text):
    """Mixed parts, conversions, formats, empty parts and reserved families fail at start-up."""
    with pytest.raises(BadDeclaration, match=r"track\(Product\)") as error:
        read_template(text, Product)

    assert repr(text) in str(error.value)
