"""Deletes that change or delete other rows through a relation."""

from __future__ import annotations

import pytest
from django.contrib.contenttypes.models import ContentType

from invalidation.tracking import registry as tracking
from tests.invalidation.told import lines, moved
from tests.shop.models import Hook, Product, Shelf, Tag

pytestmark = pytest.mark.django_db(transaction=True)


def test_row_that_falls_back_to_a_default_is_told(shelves, told):
    """SET_DEFAULT is an update: the row is on another shelf."""
    hook = Hook.objects.create(shelf=shelves[0])
    told.records()

    shelves[0].delete()

    gone = {line for line in told() if "shop.hook" in line}
    assert gone == moved(hook, ["hooks:1"], ["hooks:2"])


def test_row_that_is_set_to_something_is_told(shelves, told):
    """SET(function) is an update too."""
    hook = Hook.objects.create(shelf=shelves[1], spare=shelves[0])
    told.records()

    shelves[0].delete()

    found = {line for line in told() if "shop.hook" in line}
    assert found == moved(hook, ["spare:1"], ["spare:2"], ["hooks:2"])


def test_generically_related_rows_are_deleted_with_their_row(lamp, told, monkeypatch):
    """Django cascades a GenericRelation."""
    known = dict(tracking.registry.declarations)
    monkeypatch.setattr(tracking, "registry", tracking.Registry(known))
    tracking.track(Tag, "about:{content_type_id}/{object_id}")
    kind = ContentType.objects.get_for_model(Product).pk
    tag = Tag.objects.create(name="x", about=lamp)
    told.records()

    lamp.delete()

    product = lines((Product, 1), "left", "shelf:1", "maker:me")
    assert told() == product | lines(tag, "left", f"about:{kind}/1")


def test_rows_of_the_table_between_go_with_an_end(lamp, told):
    """Through rows are deleted fast, without a signal; the row at the other end is published."""
    tag = Tag.objects.create(name="x")
    lamp.tags.add(tag)
    between = Product.tags.through.objects.get()
    told.records()

    lamp.delete()

    other_end = {f"object:shop.tag/{tag.pk} shop.tag {tag.pk} updated"}
    product = lines((Product, 1), "left", "shelf:1", "maker:me")
    assert told() == product | other_end | lines(between, "left")


def test_ordered_rows_are_deleted_with_their_row(shelves, told):
    """Rows with `order_with_respect_to` are deleted like other rows."""
    sign = shelves[0].signs.create(since="2020-01-31")
    told.records()

    Shelf.objects.filter(pk=1).delete()

    assert lines(sign, "left", "sign:1/0") <= told()
