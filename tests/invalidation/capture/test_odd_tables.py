"""What is told of tables and columns that few projects have."""

from __future__ import annotations

import pytest
from django.db import models
from django.db.models import F
from django.test.utils import isolate_apps

from tests.invalidation.capture.tables import table_of
from tests.invalidation.told import lines, moved
from tests.shop.models import Stock

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    "name", ["lq", "two words", "a WHERE b", "select", "dotted.name", "it's", "tür", "t" * 70]
)
@isolate_apps("tests.shop")
def test_names_may_be_anything(name, told):
    """Statements are taken to pieces by what Django put together, not by what it looks like."""

    class Odd(models.Model):
        box = models.IntegerField(db_column=name[:60])
        lid = models.IntegerField(db_column="lq0")

        class Meta:
            app_label = "shop"
            db_table = name

    with table_of(Odd, "box:{box}"):
        row = Odd.objects.create(pk=1, box=1, lid=1)
        assert told.records()[-1] == lines(row, "entered", "box:1")

        assert Odd.objects.filter(box=1, lid=1).update(box=F("box") + F("lid")) == 1
        assert told() == moved(row, ["box:1"], ["box:2"])

        assert Odd.objects.filter(box=2).delete()[0] == 1
        assert told() == lines(row, "left", "box:2")


def test_as_many_rows_with_composite_keys_are_updated_as_with_others(told):
    """SQLite bounds how deep an expression may be nested."""
    Stock.objects.bulk_create(Stock(shop_number=number, product="x") for number in range(1000))
    told.records()

    assert Stock.objects.update(amount=5) == 1000

    assert lines((Stock, (999, "x")), "updated", "stock:999/x") <= told()


class Slug(models.CharField):
    """Makes its value when it is saved, and does not tell the object."""

    def pre_save(self, instance, add):
        return instance.title.lower()


@isolate_apps("tests.shop")
def test_upsert_by_a_value_that_its_field_makes_tells_where_the_row_was(told):
    """What the object holds in the unique column is not what is written there."""

    class Page(models.Model):
        slug = Slug(max_length=20, unique=True)
        title = models.CharField(max_length=20)
        box = models.IntegerField()

        class Meta:
            app_label = "shop"

    with table_of(Page, "box:{box}"):
        page = Page.objects.create(pk=1, title="A", box=1)
        told.records()

        Page.objects.bulk_create(
            [Page(title="A", box=2)],
            update_conflicts=True,
            unique_fields=["slug"],
            update_fields=["box"],
        )

        assert told() == moved(page, ["box:1"], ["box:2"])
