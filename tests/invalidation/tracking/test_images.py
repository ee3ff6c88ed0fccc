"""Images beside messages: their columns, their values, and the data that must not be in them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.contrib.sessions.models import Session
from django.db import models, transaction
from django.db.models import Max
from django.test import override_settings
from django.test.utils import isolate_apps

from invalidation.tracking.fingerprints import EXTRA_KEY
from invalidation.tracking.image_columns import default_image_columns
from invalidation.tracking.registry import track
from realtime.models import StoredRecord
from tests.invalidation import told as reading
from tests.shop.models import Book, Country, Parcel, Product, Stock, Tag, Visit

SINCE = dt.datetime(2020, 1, 31, 12, 30, tzinfo=dt.UTC)


@isolate_apps("tests.shop")
def test_image_columns_identify_and_classify_rows():
    """Each of Django's field classes has images or has none."""

    class LowText(models.CharField):
        pass

    class Everything(models.Model):
        key = models.ForeignKey(Product, models.CASCADE, related_name="+")
        only = models.OneToOneField(Country, models.CASCADE, related_name="+")
        small = models.SmallIntegerField()
        big = models.PositiveBigIntegerField()
        flag = models.BooleanField()
        price = models.DecimalField(max_digits=8, decimal_places=2)
        day = models.DateField()
        moment = models.DateTimeField()
        hour = models.TimeField()
        state = models.CharField(max_length=9, choices={"a": "A"})

        text = models.CharField(max_length=9)
        long_text = models.TextField()
        slug = models.SlugField()
        address = models.EmailField()
        link = models.URLField()
        data = models.JSONField()
        blob = models.BinaryField()
        file = models.FileField()
        address_of_host = models.GenericIPAddressField()
        other_uuid = models.UUIDField()
        number = models.FloatField()
        own_kind = LowText(max_length=9, choices={"a": "A"})

        class Meta:
            app_label = "shop"

    assert default_image_columns(Everything) == {
        *("id", "key_id", "only_id", "small", "big", "flag", "price", "day", "moment", "hour"),
        "state",
    }


@pytest.mark.parametrize(
    ("model", "columns"),
    [
        (Product, {"id", "shelf_id", "origin_id", "price", "since", "hidden"}),
        (Book, {"product_ptr_id", "chapter_of_id"}),
        (Country, {"code"}),
        (Parcel, {"id", "country_id"}),
        (Stock, {"shop_number", "product", "amount", "shelf_id"}),
        (Product.tags.through, {"id", "product_id", "tag_id"}),
    ],
)
def test_columns_of_the_shop(model, columns):
    """Keys of any type have images."""
    assert default_image_columns(model) == columns


@pytest.mark.parametrize(
    ("model", "columns"),
    [
        (User, {"id"}),
        (Group, {"id"}),
        (Permission, {"id", "content_type_id"}),
        (User.groups.through, {"id", "user_id", "group_id"}),
        (Session, {"session_key"}),
    ],
)
def test_of_auth_and_sessions_only_keys_travel(model, columns):
    """Not even `last_login` has an image."""
    assert default_image_columns(model) == columns


@pytest.fixture
def beside(transactional_db):
    """Return the extras of the newest record's messages, by topic, without fingerprints."""
    seen = StoredRecord.objects.aggregate(newest=Max("id"))["newest"] or 0

    def look():
        records = [r for r in reading._all_records() if int(r.cursor.offset) > seen]
        return {m.topic: without_fingerprint(m.extra) for m in records[-1].messages}

    return look


def without_fingerprint(extra):
    """Return a message's extra without the fingerprint; None if nothing is left."""
    return {key: value for key, value in (extra or {}).items() if key != EXTRA_KEY} or None


def pair(extra, label="shop.product", pk="1"):
    """Return a row's images, before and after."""
    return extra["images"][label][pk]


def test_created_row_has_an_image_after(shelves, beside):
    """Values are JSON's; each topic's message has the image."""
    Product.objects.create(pk=1, shelf_id=1, price="7.5", since=SINCE, name="secret", maker="x")

    image = {"id": 1, "shelf_id": 1, "origin_id": None, "price": "7.50", "hidden": False}
    image["since"] = "2020-01-31T12:30:00Z"
    found = beside()
    assert found.keys() >= {"shelf:1", "maker:x", "model:shop.product", "object:shop.product/1"}
    assert all(pair(extra) == [None, image] for extra in found.values())


def test_changed_row_has_both_images(lamp, beside):
    """The state before the transaction, and the state after it."""
    with transaction.atomic():
        Product.objects.update(hidden=True, price=1)
        Product._base_manager.update(price=Decimal("1.5"))

    before, after = pair(beside()["shelf:1"])
    assert (before["hidden"], before["price"]) == (False, None)
    assert (after["hidden"], after["price"]) == (True, "1.50")


def test_deleted_row_has_an_image_before(lamp, beside):
    """There is no image after."""
    lamp.delete()

    before, after = pair(beside()["shelf:1"])
    assert (before["id"], after) == (1, None)


def test_columns_that_topics_depend_on_are_no_images_for_that(lamp, beside):
    """`maker` is read for its topic, but has no image."""
    Product.objects.update(maker="salary")

    text = str(list(beside().values()))
    assert "maker" not in text
    assert "salary" not in text


def test_columns_may_be_added(declarations, lamp, beside):
    """The columns of all calls of `track()` add up."""
    track(Product, images=["maker"])
    track(Product, images=["name"])

    Product.objects.update(name="n", maker="x")

    _, after = pair(beside()["shelf:1"])
    assert (after["name"], after["maker"], after["id"]) == ("n", "x", 1)


def test_columns_may_be_taken_out(declarations, lamp, beside):
    """Without images the rows are published all the same."""
    track(Product, images=False)

    Product.objects.update(maker="x")

    found = beside()
    assert "maker:x" in found
    assert set(found.values()) == {None}


def test_users_are_told_without_secrets(declarations, beside):
    """A tracked user model sends its keys only."""
    track(User, "staff:{is_staff}")

    user = User.objects.create_user("ada", password="x", email="a@b.c")

    assert pair(beside()["staff:False"], "auth.user", str(user.pk)) == [None, {"id": user.pk}]


def test_rows_of_the_table_between_have_their_keys(lamp, beside):
    """The rows at the ends have not changed themselves, and have no image."""
    tag = Tag.objects.create(name="x")

    lamp.tags.add(tag)

    row = Product.tags.through.objects.get()
    found = beside()
    image = {"id": row.pk, "product_id": 1, "tag_id": tag.pk}
    assert pair(found["model:shop.product_tags"], "shop.product_tags", str(row.pk)) == [None, image]
    assert found["object:shop.product/1"] is None


def test_row_with_a_composite_key_has_an_image(beside):
    """The image stands under the key's JSON."""
    Stock.objects.create(shop_number=1, product="nail", amount=3)

    image = {"shop_number": 1, "product": "nail", "amount": 3, "shelf_id": None}
    assert pair(beside()["stock:1/nail"], "shop.stock", '[1,"nail"]') == [None, image]


@override_settings(INVALIDATION={"MAX_IMAGE_BYTES": 2_000})
def test_message_with_too_large_images_goes_without(lamp, beside):
    """A smaller message of the same transaction has its images."""
    with transaction.atomic():
        Product.objects.update(hidden=True)
        Product.objects.bulk_create(Product(pk=pk, maker="x") for pk in range(10, 40))

    found = beside()
    assert found["maker:x"] is None
    assert found["model:shop.product"] is None
    assert pair(found["shelf:1"])[1]["hidden"] is True
    assert pair(found["object:shop.product/10"], pk="10")[1]["id"] == 10


def test_untracked_rows_have_no_images(lamp, beside):
    """They have no message either."""
    with transaction.atomic():
        Visit.objects.create(page="x")
        Product.objects.update(hidden=True)

    assert "shop.visit" not in str(beside())


def test_resets_have_no_images(lamp, beside):
    """A reset names no rows."""
    with override_settings(INVALIDATION={"MAX_ROWS": 1}):
        Product.objects.bulk_create([Product(), Product()])

    assert set(beside().values()) == {None}
