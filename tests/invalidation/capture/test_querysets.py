"""Writes of many rows at once."""

from __future__ import annotations

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import Case, Count, Exists, F, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Concat, Lower
from django.test import override_settings

from invalidation.tracking import registry as tracking
from tests.invalidation.told import lines, moved, resets
from tests.shop.models import Book, Country, Discounted, Express, Parcel, Product, Shelf, Stock, Tag

pytestmark = pytest.mark.django_db(transaction=True)

PRODUCT_FAMILIES = ["shelf:", "origin:", "maker:", "shout:", "price:", "year:"]


def each(rows, verb, *topics):
    """Return the lines of several rows with the same verb."""
    return set().union(*(lines(row, verb, *topics) for row in rows))


def test_update_is_told_row_by_row(lamp, told):
    """Each row has its former and its new topics."""
    bed = Product.objects.create(pk=2, maker="you")
    told.records()

    Product.objects.update(maker="you")

    first = moved(lamp, ["maker:me"], ["maker:you"], ["shelf:1"])
    assert told() == first | lines(bed, "updated", "maker:you")


def test_update_by_an_expression_is_told_by_its_value(lamp, told):
    """F() and functions are read back by key: the rows may no longer match the filter."""
    Product.objects.filter(maker="me").update(maker=Concat(F("maker"), Value("2")))

    assert told() == moved(lamp, ["maker:me"], ["maker:me2"], ["shelf:1"])


@pytest.mark.parametrize(
    "condition",
    [
        Q(shelf__inside__isnull=True, shelf__name=""),
        Q(Exists(Shelf.objects.filter(pk=OuterRef("shelf_id")))),
        ~Q(tags__name="x"),
        Q(pk__in=Product.objects.filter(maker="me").values("pk")),
        Q(shelf__in=Shelf.objects.filter(products__maker="me")),
        Q(pk=Subquery(Product.objects.order_by("pk").values("pk")[:1])),
        Q(shelf__products__maker="me"),
    ],
    ids=["join", "exists", "exclude", "own subquery", "subquery", "sliced", "there and back"],
)
def test_filter_over_other_tables_finds_the_rows(condition, lamp, told):
    """Joins and subqueries in the filter select the same rows."""
    rows = Product.objects.filter(condition)

    assert rows.update(maker="you") == 1
    assert told() == moved(lamp, ["maker:me"], ["maker:you"], ["shelf:1"])

    lamp.maker = "me"
    lamp.save()
    told.records()
    Product.objects.filter(condition)._raw_delete("default")
    assert told() == lines(lamp, "left", "shelf:1", "maker:me")


@pytest.mark.parametrize(
    "rows",
    [
        lambda: Product.objects.annotate(n=Count("tags")).filter(n=0),
        lambda: Product.objects.alias(n=Count("shelf__products")).filter(n__gte=1),
        lambda: Product.objects.order_by("shelf__name").distinct(),
        lambda: Product.objects.select_for_update().select_related("shelf"),
        lambda: Product.objects.extra(where=["shop_product.maker = %s"], params=["me"]),
        lambda: Discounted.objects.filter(shelf__name=""),
        lambda: Product.objects.defer("maker").annotate(m=F("maker")).filter(m="me"),
    ],
    ids=["having", "alias", "distinct", "for update", "extra", "proxy", "annotation"],
)
def test_unusual_querysets_are_told(rows, lamp, told):
    """Aggregates, orderings, locks and raw conditions reach the compilers too."""
    from django.db import transaction

    with transaction.atomic():
        assert rows().update(maker="you") == 1

    assert told() == moved(lamp, ["maker:me"], ["maker:you"], ["shelf:1"])


def test_randomly_selected_rows_are_told_as_they_are_deleted(told):
    """The published rows are the deleted ones."""
    Shelf.objects.bulk_create(Shelf(pk=pk) for pk in range(10, 60))
    told.records()
    by_chance = Shelf.objects.filter(pk__gte=10).order_by("?").values("pk")

    assert Shelf.objects.filter(pk__in=by_chance[:5])._raw_delete("default") == 5

    left = {*range(10, 60)} - {*Shelf.objects.values_list("pk", flat=True)}
    assert told() == set().union(*(lines((Shelf, pk), "left", f"shelf:{pk}") for pk in left))


def test_update_of_nothing_is_not_told(told):
    """No row matches, or the condition cannot match any."""
    assert Product.objects.filter(maker="nobody").update(maker="x") == 0
    assert Product.objects.filter(pk__in=[]).update(maker="x") == 0
    assert Product.objects.none().update(maker="x") == 0
    assert Product.objects.filter(maker="nobody").delete() == (0, {})
    assert Product.objects.filter(pk__in=[]).delete() == (0, {})

    assert told.records() == []


def test_bulk_create_is_told_row_by_row(told):
    """With keys of the database's or given ones."""
    made = Product.objects.bulk_create([Product(maker="x"), Product(maker="x"), Product(pk=99)])

    assert told() == each(made[:2], "entered", "maker:x") | lines((Product, 99), "entered")


def test_bulk_create_in_batches_is_one_record(told):
    """The batches are one transaction."""
    made = Product.objects.bulk_create([Product(maker="x") for _ in range(5)], batch_size=2)

    assert told() == each(made, "entered", "maker:x")


def test_insert_that_ignores_conflicts_tells_the_inserted_rows(told):
    """An existing row is not published."""
    Country.objects.create(code="a", name="old")
    told.records()

    Country.objects.bulk_create([Country(code="a"), Country(code="b")], ignore_conflicts=True)
    assert told() == lines((Country, "b"), "entered", "country:b", "named:nameless")

    Country.objects.bulk_create([Country(code="b")], ignore_conflicts=True)
    assert told.records() == []


def test_upsert_is_told_as_what_it_did_to_each_row(told):
    """One row is updated, one is entered."""
    old = Country.objects.create(code="a", name="old")
    told.records()

    Country.objects.bulk_create(
        [Country(code="a", name="new"), Country(code="b", name="new")],
        update_conflicts=True,
        unique_fields=["code"],
        update_fields=["name"],
    )

    made = lines((Country, "b"), "entered", "country:b", "named:new")
    assert told() == made | moved(old, ["named:old"], ["named:new"], ["country:a"])


def test_upsert_of_a_parent_tells_its_child(told):
    """The child inherits the updated columns; an inserted parent row has no child."""
    new, there = Parcel(), Express.objects.create(hours=1, country=Country.objects.create(code="a"))
    told.records()

    Parcel.objects.bulk_create(
        [Parcel(pk=there.pk), new],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["country"],
    )

    parent = moved(there.parcel_ptr, ["parcels:a"], [])
    assert told() == parent | lines(there, "updated", "hours:1") | lines(new, "entered")


def test_upsert_of_keys_that_are_expressions(told):
    """PostgreSQL returns the rows in conflict; SQLite's are read before, and are unknown then."""
    Country.objects.bulk_create(
        [Country(code=Lower(Value("A")), name="new")],
        update_conflicts=True,
        unique_fields=["code"],
        update_fields=["name"],
    )

    if connection.vendor == "sqlite":
        assert told() == resets(Country, "country:", "named:")
    else:
        assert told() == lines((Country, "a"), "entered", "country:a", "named:new")


def test_bulk_update_is_told_row_by_row(lamp, told):
    """It is an UPDATE with CASE."""
    bed = Product.objects.create(pk=2, maker="you")
    told.records()
    lamp.maker, bed.maker = "x", "y"

    Product.objects.bulk_update([lamp, bed], ["maker"], batch_size=1)

    first = moved(lamp, ["maker:me"], ["maker:x"], ["shelf:1"])
    assert told() == first | moved(bed, ["maker:you"], ["maker:y"])


def test_update_by_cases_is_told(lamp, told):
    """The value of a conditional expression is read back."""
    Product.objects.update(maker=Case(When(shelf=1, then=Value("x")), default=Value("y")))

    assert told() == moved(lamp, ["maker:me"], ["maker:x"], ["shelf:1"])


def test_get_or_create_is_told_only_when_it_creates(told):
    """Getting writes nothing."""
    shelf, _ = Shelf.objects.get_or_create(name="new", pk=9)
    assert told() == lines(shelf, "entered", "shelf:9")

    Shelf.objects.get_or_create(name="new")
    assert told.records() == []


def test_update_or_create_is_told_as_what_it_did(lamp, told):
    """Updated or entered."""
    Product.objects.update_or_create(pk=lamp.pk, defaults={"maker": "you"})
    assert told() == moved(lamp, ["maker:me"], ["maker:you"], ["shelf:1"])

    bed, _ = Product.objects.update_or_create(maker="x", defaults={"shelf_id": 2})
    assert told() == lines(bed, "entered", "maker:x", "shelf:2")


def test_child_updated_in_bulk_is_told_with_its_parent(told):
    """An inherited column is the parent's, and the child's too."""
    book = Book.objects.create(pk=5, author="eve")
    told.records()

    Book.objects.filter(author="eve").update(maker="x")
    inherited = lines(book, "updated", "author:eve")
    assert told() == inherited | moved(Product(pk=5), [], ["maker:x"])

    Book.objects.filter(maker="x").update(maker="y", author="ada")
    parent = moved(Product(pk=5), ["maker:x"], ["maker:y"])
    assert told() == parent | moved(book, ["author:eve"], ["author:ada"])

    Book.objects.filter(maker="y").update(author="eve")
    assert told() == moved(book, ["author:ada"], ["author:eve"])


def test_change_of_a_key_is_told_as_one_row_left_and_one_entered(told):
    """The row with the former key left, the one with the new key entered."""
    Country.objects.create(code="a")
    told.records()

    Country.objects.filter(code="a").update(code="b")

    gone = lines((Country, "a"), "left", "country:a", "named:nameless")
    assert told() == gone | lines((Country, "b"), "entered", "country:b", "named:nameless")


def test_change_of_a_composite_keys_part_is_a_change_of_the_key(told):
    """Changing a part changes the key."""
    Stock.objects.create(shop_number=1, product="nail")
    told.records()

    Stock.objects.filter(product="nail").update(shop_number=2)

    gone = lines((Stock, (1, "nail")), "left", "stock:1/nail")
    assert told() == gone | lines((Stock, (2, "nail")), "entered", "stock:2/nail")


def test_composite_keys_are_found_by_the_hundred(told):
    """Rows are read in chunks, whatever their keys are."""
    rows = Stock.objects.bulk_create(Stock(shop_number=i, product="x") for i in range(900))
    assert len(told()) == 900 * 3

    assert Stock.objects.filter(product="x").update(amount=F("amount") + 1) == 900
    assert told() == set().union(
        *(lines(row, "updated", f"stock:{row.shop_number}/x") for row in rows)
    )


@override_settings(INVALIDATION={"MAX_ROWS": 3})
def test_writes_up_to_the_cap_are_told_row_by_row(told):
    """The cap itself is allowed."""
    made = Product.objects.bulk_create([Product(maker="x") for _ in range(3)])
    assert told() == each(made, "entered", "maker:x")

    Product.objects.filter(maker="x").update(hidden=True)
    assert told() == each(made, "updated", "maker:x")

    Product._base_manager.filter(maker="x")._raw_delete("default")
    assert told() == {
        line for row in range(3) for line in lines((Product, made_pk(made, row)), "left", "maker:x")
    }


def made_pk(rows, index):
    """Return the key of one of the created rows."""
    return rows[index].pk


@override_settings(INVALIDATION={"MAX_ROWS": 2})
def test_writes_over_the_cap_reset_the_model(lamp, told):
    """All families of the model and of its child are reset; the rows are not held in memory."""
    reset = resets(Product, *PRODUCT_FAMILIES) | resets(Book, "author:")

    Product.objects.bulk_create([Product(maker="x") for _ in range(3)])
    assert told() == reset

    Product.objects.update(maker="y")
    assert told() == reset

    Product.objects.all()._raw_delete("default")
    assert told() == reset


def test_generic_relations_are_told(lamp, told, monkeypatch):
    """Adding updates the row of the other side, which has the columns."""
    monkeypatch.setattr(
        tracking, "registry", tracking.Registry(dict(tracking.registry.declarations))
    )
    tracking.track(Tag, "about:{content_type_id}/{object_id}")
    kind = ContentType.objects.get_for_model(Product).pk
    tag = Tag.objects.create(name="x")
    told.records()

    lamp.stuck.add(tag)
    assert told() == moved(tag, [], [f"about:{kind}/1"])

    lamp.delete()
    assert lines(tag, "left", f"about:{kind}/1") <= told()


def test_many_to_many_is_told_to_the_rows_at_its_ends(lamp, told):
    """The through table is tracked with its model."""
    between, tag = Product.tags.through, Tag.objects.create(name="x")
    ends = {
        "object:shop.product/1 shop.product 1 updated",
        f"object:shop.tag/{tag.pk} shop.tag {tag.pk} updated",
    }

    lamp.tags.add(tag)
    row = between.objects.get()
    assert told() == ends | lines(row, "entered")

    lamp.tags.add(tag)
    assert told.records() == []

    tag.products.clear()
    assert told() == ends | lines((between, row.pk), "left")


def test_many_to_many_may_have_topics_of_its_own(lamp, told, monkeypatch):
    """They are added to those of the ends."""
    known = dict(tracking.registry.declarations)
    monkeypatch.setattr(tracking, "registry", tracking.Registry(known))
    between = Product.tags.through
    tracking.track(between, "tagged:{product_id}")
    tag = Tag.objects.create(name="x")

    lamp.tags.set([tag])

    row = between.objects.get()
    assert told() == lines(row, "entered", "tagged:1") | {
        "object:shop.product/1 shop.product 1 updated",
        f"object:shop.tag/{tag.pk} shop.tag {tag.pk} updated",
    }
