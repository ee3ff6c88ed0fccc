"""Declaring models with `track()`."""

from __future__ import annotations

import pytest

from invalidation.exceptions import BadDeclaration
from invalidation.tracking import registry as tracking
from invalidation.tracking.registry import declaration_of, declarations, track
from tests.shop.models import Abstract, Book, Discounted, Product, Tag, Visit


@pytest.fixture(autouse=True)
def undeclared(monkeypatch):
    """Start without declarations; those of live.py are restored after the test."""
    monkeypatch.setattr(tracking, "registry", tracking.Registry())


def test_tracked_model_has_topics_of_its_own():
    """A row belongs to its model's topic and to its own, without any template."""
    track(Visit)

    assert declaration_of(Visit).families == {"model:shop.visit", "object:shop.visit/"}


def test_untracked_model_has_no_declaration():
    """Changes of an untracked model are not published."""
    assert declaration_of(Visit) is None
    assert declarations() == ()


def test_tracking_again_adds_up():
    """Two apps may each declare topics of a third app's model."""
    track(Product, "shelf:{shelf_id}")
    track(Product, "shelf:{shelf_id}", "maker:{maker}")
    track(Product, lambda row: [], reads=["price"], families=["price"])

    declaration = declaration_of(Product)

    assert [str(t.family) for t in declaration.templates] == ["shelf:", "maker:"]
    assert declaration.columns >= {"shelf_id", "maker", "price"}
    assert declaration.families >= {"shelf:", "maker:", "price:"}


def test_templates_and_functions_may_be_declared_together():
    """`reads` and `families` belong to the function; a template has its own."""
    track(
        Product,
        *("shelf:{shelf_id}", lambda row: []),
        reads=["maker"],
        families=["made"],
        images=False,
    )

    assert declaration_of(Product).columns == {"shelf_id", "maker"}
    assert declaration_of(Product).families >= {"shelf:", "made:"}


def test_proxies_and_their_model_are_one():
    """They share a table, and so a declaration."""
    track(Discounted, "shelf:{shelf_id}")

    assert declaration_of(Product) is declaration_of(Discounted)
    assert declaration_of(Product).label == "shop.product"


def test_multi_table_child_is_a_model_of_its_own():
    """Parent and child have two tables."""
    track(Product)

    assert declaration_of(Book) is None


def test_abstract_model_is_refused():
    """An abstract model has no rows."""
    with pytest.raises(BadDeclaration, match=r"track\(Abstract\).*table of its own"):
        track(Abstract)


@pytest.mark.parametrize("thing", ["shop.Product", object, None, Product()])
def test_argument_that_is_no_model_is_refused(thing):
    """The error says that it is not a model."""
    with pytest.raises(BadDeclaration, match="expected a model class, got"):
        track(thing)


@pytest.mark.parametrize("topic", [5, None, ["shelf:{shelf_id}"]])
def test_topic_that_is_neither_template_nor_function_is_refused(topic):
    """A list of templates is a likely mistake."""
    with pytest.raises(BadDeclaration, match="expected templates or functions"):
        track(Product, topic)


@pytest.mark.parametrize("names", [{"families": "task"}, {"reads": "name"}])
def test_one_text_in_place_of_a_list_is_refused(names):
    """`families="task"` would be the four families t, a, s and k."""
    with pytest.raises(BadDeclaration, match="expected a list of names"):
        track(Product, lambda row: [], **{"reads": ["name"], "families": ["task"], **names})


def test_refused_declaration_leaves_nothing_behind():
    """A failing track() declares none of its topics."""
    with pytest.raises(BadDeclaration):
        track(Tag, "tag:{name}", "tag:{nonsense}")

    assert declaration_of(Tag) is None
