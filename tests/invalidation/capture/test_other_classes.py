"""Writes by another class than the tracked one, on the same table."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection, migrations, models
from django.db.migrations.state import ProjectState
from django.test.utils import isolate_apps

from tests.invalidation.capture.tables import tracked_as
from tests.invalidation.told import lines, moved, resets
from tests.shop.models import Coupon, Product, Shelf

pytestmark = pytest.mark.django_db(transaction=True)


def migrate(*operations, before=None):
    """Apply a shop migration to the current models; return the models after it."""
    migration = migrations.Migration("changed", "shop")
    migration.operations = list(operations)
    with connection.schema_editor(atomic=migration.atomic) as editor:
        return migration.apply(before or ProjectState.from_apps(apps), editor)


def test_models_of_a_migration_are_told_by_row(lamp, told):
    """RunPython gets historical classes."""

    def forwards(apps, editor):
        product = apps.get_model("shop", "Product")
        product.objects.filter(pk=1).update(maker="you")
        product.objects.create(pk=7, maker="x")

    migrate(migrations.RunPython(forwards))

    assert told() == moved(lamp, ["maker:me"], ["maker:you"], ["shelf:1"]) | lines(
        (Product, 7), "entered", "maker:x"
    )


SHELF = models.ForeignKey("shop.Shelf", models.CASCADE, null=True)


@pytest.fixture
def without_shelf(lamp):
    """Drop a tracked column, as before its migration; return the models then."""
    Coupon.objects.create(code="old")
    state = migrate(migrations.RemoveField("coupon", "shelf"))
    yield state
    migrate(migrations.AddField("coupon", "shelf", SHELF), before=state)


@pytest.mark.parametrize(
    "write",
    [
        lambda rows: rows.create(code="new"),
        lambda rows: rows.bulk_create([rows.model(code="new")]),
        lambda rows: rows.update(code="new"),
        lambda rows: rows.get().delete(),
        lambda rows: rows.all().delete(),
    ],
    ids=["create", "bulk create", "update", "delete", "delete all"],
)
def test_write_before_a_tracked_column_is_there_resets(write, without_shelf, told):
    """Between migrations, a write must not fail because of capture."""

    def forwards(apps, editor):
        write(apps.get_model("shop", "Coupon").objects)

    migrate(migrations.RunPython(forwards), before=without_shelf)

    assert told() == resets(Coupon, "coupons:")


def test_write_while_a_column_has_another_type_resets(without_shelf, told):
    """Topics cannot be made of the column's former values."""
    text = models.CharField(max_length=9, null=True)
    state = migrate(migrations.AddField("coupon", "shelf_id", text), before=without_shelf)
    told.records()

    def forwards(apps, editor):
        apps.get_model("shop", "Coupon").objects.create(code="new", shelf_id="top")

    migrate(migrations.RunPython(forwards), before=state)

    assert told() == resets(Coupon, "coupons:")
    migrate(migrations.RemoveField("coupon", "shelf_id"), before=state)


@isolate_apps("tests.shop")
def test_second_class_with_the_columns_is_told_by_row(told):
    """The class needs the tracked columns only."""

    class Rack(models.Model):
        inside_id = models.BigIntegerField(null=True)
        name = models.CharField(max_length=50)

        class Meta:
            app_label = "shop"
            managed = False
            db_table = "shop_shelf"

    Rack.objects.create(pk=7, inside_id=1)
    assert told() == lines((Shelf, 7), "entered", "shelf:7", "inside:1")

    Rack.objects.filter(pk=7).update(inside_id=2)
    assert told() == moved(Shelf(pk=7), ["inside:1"], ["inside:2"], ["shelf:7"])

    Rack.objects.get(pk=7).delete()
    assert told() == lines((Shelf, 7), "left", "shelf:7", "inside:2")


@isolate_apps("tests.shop")
def test_second_class_without_the_columns_resets(told):
    """The class lacks columns that the topics need."""

    class Name(models.Model):
        name = models.CharField(max_length=50)

        class Meta:
            app_label = "shop"
            managed = False
            db_table = "shop_shelf"

    reset = resets(Shelf, "shelf:", "inside:")

    Name.objects.create(pk=7, name="x")
    assert told() == reset

    Name.objects.filter(pk=7).update(name="y")
    assert told() == reset

    Name.objects.get(pk=7).delete()
    assert told() == reset


def test_model_of_a_migration_saves_generated_columns(lamp, told):
    """Django gets the generated column that it asks for, known rows or not."""
    price = Product._meta.get_field("price").clone()
    state = migrate(migrations.RemoveField("product", "price"))
    told.records()

    def forwards(apps, editor):
        row = apps.get_model("shop", "Product").objects.get(pk=1)
        row.name = "loud"
        row.save()
        assert type(row).objects.get().shout == "LOUD"

    try:
        migrate(migrations.RunPython(forwards), before=state)
        assert "maker: reset bulk" in told()
    finally:
        migrate(migrations.AddField("product", "price", price), before=state)


@isolate_apps("tests.shop")
def test_migration_may_write_a_parent_before_the_child_has_a_table(told):
    """The child's families are reset as far as possible."""

    class Cupboard(Shelf):
        doors = models.IntegerField()

        class Meta:
            app_label = "shop"

    def forwards(apps, editor):
        apps.get_model("shop", "Shelf").objects.filter(pk=1).update(name="new")

    with tracked_as(Cupboard, "doors:{doors}"):
        migrate(migrations.RunPython(forwards))

    assert told() >= lines((Shelf, 1), "updated", "shelf:1") | {"doors: reset bulk"}
