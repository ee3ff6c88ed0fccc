"""Objects that are created and saved."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, IntegrityError, connections, transaction
from django.db.models import F, Value
from django.db.models.functions import Lower, Upper

from tests.invalidation.told import lines, moved
from tests.shop.models import (
    Book,
    Country,
    Coupon,
    Discounted,
    Express,
    Nickname,
    Parcel,
    Product,
    Shelf,
    Stock,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_created_row_enters_its_topics(shelves, told):
    """The values are the columns', not the object's."""
    since = dt.datetime(2020, 1, 31, tzinfo=dt.UTC)

    bed = Product.objects.create(
        name="bed", shelf_id=str(shelves[1].pk), maker="a/b", price="7.5", since=since
    )

    topics = ["shelf:2", "maker:a%2Fb", "shout:BED", "price:2/7.50", "year:2020"]
    assert told() == lines(bed, "entered", *topics)


def test_created_row_with_nulls_enters_no_topic_of_them(told):
    """A null gives no topic; the database's default does."""
    bed = Product.objects.create()

    assert told() == lines(bed, "entered")


def test_value_that_the_database_makes_is_told(told):
    """Only the database knows the value of a `db_default`."""
    country = Country.objects.create(code="no")

    assert told() == lines(country, "entered", "country:no", "named:nameless")


def test_row_whose_key_the_database_makes_is_told_with_it(told):
    """The key may be a `db_default` expression."""
    assert Coupon.objects.create().pk == "FREE"

    assert told() == lines((Coupon, "FREE"), "entered")


def test_inserted_expression_is_told_by_its_value(told):
    """The value of an expression is read back."""
    bed = Product.objects.create(maker=Upper(Value("me")))

    assert told() == lines(bed, "entered", "maker:ME")


def test_key_given_as_an_expression_is_told(told):
    """The key is the one that the database computed."""
    country = Country(code=Lower(Value("NO")))
    country.save(force_insert=True)

    assert told() == lines((Country, "no"), "entered", "country:no", "named:nameless")


def test_key_stored_otherwise_than_given_is_told_as_stored(told):
    """The database returns the stored key."""
    Nickname.objects.create(name="Eve")

    assert told() == lines((Nickname, "eve"), "entered", "nickname:eve")


def test_text_given_for_a_number_is_told_as_the_number(told):
    """`05` is stored as 5, and published as 5."""
    Shelf.objects.create(pk="05")
    assert told() == lines((Shelf, 5), "entered", "shelf:5")

    bed = Product.objects.create(shelf_id="05")

    assert told() == lines(bed, "entered", "shelf:5")


def test_uuid_key_is_told_as_text(told):
    """Python made the UUID."""
    parcel = Parcel.objects.create(id=uuid.UUID(int=7).hex)

    assert told() == lines((Parcel, uuid.UUID(int=7)), "entered")
    parcel.refresh_from_db()


def test_text_key_may_hold_any_character(told):
    """The topic encodes it; the key in the message does not."""
    country = Country.objects.create(code="a/b %:é")

    assert told() == lines(country, "entered", "country:a%2Fb%20%25%3A%C3%A9", "named:nameless")


def test_empty_text_key_is_told_under_the_models_topic(told):
    """A topic cannot contain an empty key, but the write must succeed."""
    Country.objects.create(code="", name="x")

    assert told() == {
        f"{topic} shop.country  entered" for topic in ("model:shop.country", "named:x")
    }


def test_composite_key_is_told_as_json(told):
    """Each row has one spelling."""
    stock = Stock.objects.create(shop_number="1", product='a"b')

    assert told() == lines((Stock, (1, 'a"b')), "entered", "stock:1/a%22b")
    assert stock.pk == ("1", 'a"b')


def test_saved_row_updates_its_topics(lamp, told):
    """Any save publishes the row, even if no column of a topic changed."""
    lamp.hidden = True
    lamp.save()

    assert told() == lines(lamp, "updated", "shelf:1", "maker:me")


def test_saved_row_leaves_and_enters(shelves, lamp, told):
    """Clients of the former and of the new topic get a message."""
    lamp.shelf = shelves[1]
    lamp.save()

    assert told() == moved(lamp, ["shelf:1"], ["shelf:2"], ["maker:me"])


def test_save_of_some_fields_tells_the_stored_row(shelves, lamp, told):
    """A field that was set on the object but not saved does not count."""
    lamp.shelf = shelves[1]
    lamp.maker = "you"
    lamp.save(update_fields=["maker"])

    assert told() == moved(lamp, ["maker:me"], ["maker:you"], ["shelf:1"])


def test_stale_object_leaves_the_topic_that_the_row_had(shelves, lamp, told):
    """The former topic is that of the database's row, not the object's."""
    third = Shelf.objects.create()
    stale = Product.objects.get(pk=lamp.pk)
    Product.objects.filter(pk=lamp.pk).update(shelf=shelves[1])
    told.records()

    stale.shelf = third
    stale.save()

    assert told() == moved(lamp, ["shelf:2"], [f"shelf:{third.pk}"], ["maker:me"])


def test_deferred_fields_are_not_fetched_and_told_all_the_same(lamp, told):
    """The object need not have the columns of its topics."""
    partial = Product.objects.only("name").get(pk=lamp.pk)

    partial.name = "x"
    partial.save()

    assert told() == moved(lamp, [], ["shout:X"], ["shelf:1", "maker:me"])
    assert "shelf_id" in partial.get_deferred_fields()


def test_save_with_an_expression_is_told_by_its_value(shelves, lamp, told):
    """The value of F() is read back, by key."""
    lamp.shelf_id = F("shelf_id") + 1
    lamp.save()

    assert told() == moved(lamp, ["shelf:1"], ["shelf:2"], ["maker:me"])


def test_explicit_key_that_is_new_is_told_as_created(told):
    """Django tries an UPDATE first, which matches no row."""
    Shelf(pk=77).save()

    assert told() == lines((Shelf, 77), "entered", "shelf:77")


def test_explicit_key_that_exists_is_told_as_updated(lamp, told):
    """The object was never read from the row that it overwrites."""
    Product(pk=lamp.pk, maker="you").save()

    assert told() == moved(lamp, ["shelf:1", "maker:me"], ["maker:you"])


def test_forced_insert_and_update_are_told(lamp, told):
    """As entered and as updated."""
    Shelf(pk=77).save(force_insert=True)
    assert told() == lines((Shelf, 77), "entered", "shelf:77")

    lamp.save(force_update=True)
    assert told() == lines(lamp, "updated", "shelf:1", "maker:me")


def test_refused_writes_are_not_told(lamp, told):
    """An insert with a taken key, and an update of a missing row."""
    with pytest.raises(IntegrityError):
        Product(pk=lamp.pk).save(force_insert=True)
    with pytest.raises(DatabaseError):
        Product(pk=9_999).save(force_update=True)
    with pytest.raises(ValueError, match="unsaved"):
        Product.objects.create(shelf=Shelf())

    assert told.records() == []


def test_row_is_told_by_proxy(lamp, told):
    """A proxy's rows are those of its concrete model."""
    proxy = Discounted.objects.get(pk=lamp.pk)

    proxy.maker = "you"
    proxy.save()

    assert told() == moved(lamp, ["maker:me"], ["maker:you"], ["shelf:1"])


def test_created_child_is_told_in_both_its_tables(shelves, told):
    """A multi-table child is a row of its own table and one of its parent's."""
    book = Book.objects.create(name="b", shelf=shelves[0], author="eve")

    parent = lines((Product, book.pk), "entered", "shelf:1", "shout:B")
    assert told() == parent | lines(book, "entered", "author:eve")


def test_saved_child_is_told_in_both_its_tables(shelves, told):
    """Each table's row has its own topics."""
    book = Book.objects.create(shelf=shelves[0], author="eve")
    told.records()

    book.shelf, book.author = shelves[1], "ada"
    book.save()

    parent = moved(Product(pk=book.pk), ["shelf:1"], ["shelf:2"])
    assert told() == parent | moved(book, ["author:eve"], ["author:ada"])


def test_child_of_a_parent_with_a_python_made_key_is_told_by_row(told):
    """The child's key has another name than the parent's."""
    express = Express.objects.create(hours=3)

    child = lines(express, "entered", "hours:3")
    assert told() == child | lines((Parcel, express.pk), "entered")


def test_child_saved_raw_is_told_in_its_table_only(lamp, told):
    """`loaddata` saves the parent's row as another entry of the fixture."""
    Book(product_ptr_id=lamp.pk, author="eve").save_base(raw=True)

    assert told() == lines((Book, lamp.pk), "entered", "author:eve")


@pytest.mark.parametrize("goes", ["deleted", "under another key"])
def test_child_that_gets_another_parent_is_told(goes, told):
    """Within a transaction another row takes the key of its parent's, and the child stays."""
    book = Book.objects.create(pk=2, maker="me", author="eve")
    told.records()

    with transaction.atomic():
        parent = Product.objects.filter(pk=2)
        parent._raw_delete("default") if goes == "deleted" else parent.update(id=50)
        Product.objects.create(pk=2, maker="you")

    assert Book._base_manager.get().maker == "you"
    assert lines(book, "updated", "author:eve") <= told()


def test_row_that_a_manager_hides_is_told(lamp, told):
    """Capture does not use the default manager."""
    lamp.hidden = True
    lamp.save()
    told.records()

    lamp.maker = "you"
    lamp.save()

    assert told() == moved(lamp, ["maker:me"], ["maker:you"], ["shelf:1"])
    with pytest.raises(ObjectDoesNotExist):
        lamp.refresh_from_db(from_queryset=Product.objects.all())


def test_moving_a_row_by_a_related_manager_is_told(shelves, lamp, told):
    """Adding to a reverse relation updates the row of the other side."""
    shelves[1].products.add(lamp)
    assert told() == moved(lamp, ["shelf:1"], ["shelf:2"], ["maker:me"])

    shelves[1].products.clear()
    assert told() == moved(lamp, ["shelf:2"], [], ["maker:me"])

    shelves[0].products.set([lamp])
    assert told() == moved(lamp, [], ["shelf:1"], ["maker:me"])


def test_decimals_are_told_as_the_column_holds_them(lamp, told):
    """Equal values have one spelling."""
    lamp.price = Decimal("1.5")
    lamp.save()
    told.records()

    lamp.price = "1.500"
    lamp.save()

    assert told() == lines(lamp, "updated", "shelf:1", "maker:me", "price:1/1.50")


async def test_writing_from_async_code_is_told(lamp, told):
    """The async methods run the same compilers."""
    from asgiref.sync import sync_to_async

    lamp.maker = "you"
    await lamp.asave()

    lines_told = await sync_to_async(told)()
    # The connection of its thread; the test's database cannot be dropped while it is open.
    await sync_to_async(connections.close_all)()
    assert lines_told == moved(lamp, ["maker:me"], ["maker:you"], ["shelf:1"])
