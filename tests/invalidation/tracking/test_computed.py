"""Topics that a function computes."""

from __future__ import annotations

import pytest

from invalidation.exceptions import BadDeclaration, NotRead
from invalidation.tracking.computed import read_computed
from tests.shop.models import Book, Product

ROW = {"name": "lamp", "shelf_id": 5, "maker": "me"}


def computed(function, reads=("name", "shelf_id"), families=("shelf",)):
    """Read a declaration for Product."""
    return read_computed(function, Product, reads, families)


def test_function_gives_a_rows_topics():
    """The row belongs to the topics that the function returns."""
    rule = computed(lambda row: [f"shelf:{row.shelf_id}", "shelf:all"])

    assert rule.fill(ROW) == {"shelf:5", "shelf:all"}


def test_function_may_be_a_generator():
    """Any iterable is accepted, an empty one too."""

    def topics(row):
        if row.name == "lamp":
            yield "shelf:lamps"

    assert computed(topics).fill(ROW) == {"shelf:lamps"}
    assert computed(topics).fill({**ROW, "name": "bed"}) == set()


@pytest.mark.parametrize("name", ["maker", "shelf", "pk", "_state", "no_such"])
def test_function_sees_only_what_it_declared(name):
    """A change of an undeclared column would otherwise not be published."""
    rule = computed(lambda row: [f"shelf:{getattr(row, name)}"])

    with pytest.raises(NotRead, match=rf"shop.Product read '{name}'.*\['name', 'shelf_id'\]"):
        rule.fill(ROW)


def test_function_cannot_write_to_its_row():
    """The row is a frozen image, not a model instance."""
    rule = computed(lambda row: setattr(row, "name", "x"))

    with pytest.raises(NotRead, match="the row is frozen"):
        rule.fill(ROW)


@pytest.mark.parametrize("topic", ["list:5", "shelf:", "model:shop.product"])
def test_function_may_give_only_topics_of_its_families(topic):
    """A reset of unknown rows covers the declared families only."""
    rule = computed(lambda row: [topic])

    with pytest.raises(BadDeclaration, match=r"shop.Product gave .*\['shelf:'\]"):
        rule.fill(ROW)


@pytest.mark.parametrize("name", ["shelf", "pk", "no_such", "tags"])
def test_reads_must_be_columns(name):
    """`reads` is checked like the fields of a template."""
    with pytest.raises(BadDeclaration, match=f"reads= of .* names '{name}'"):
        computed(lambda row: [], reads=[name])


def test_reads_of_an_inherited_column_name_the_parent():
    """The column is in the parent's table, and the declaration belongs there."""
    with pytest.raises(BadDeclaration, match="track Product"):
        read_computed(lambda row: [], Book, ["name"], ["shelf"])


@pytest.mark.parametrize("families", [[], ["model"], ["shelf", "object"]])
def test_families_must_be_named_and_not_be_reserved(families):
    """Without families, a function's topics could not be reset."""
    with pytest.raises(BadDeclaration, match=r"expected families="):
        computed(lambda row: [], families=families)


def test_families_that_are_no_family_are_refused_by_model():
    """The error names the model."""
    with pytest.raises(BadDeclaration, match="track.Product"):
        computed(lambda row: [], families=["my shelf"])
