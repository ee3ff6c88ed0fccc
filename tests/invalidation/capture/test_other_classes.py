"""What is told of writes by a class that is not the tracked one: the table is what counts."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection, migrations, models
from django.db.migrations.state import ProjectState
from django.test.utils import isolate_apps

from tests.invalidation.told import lines, moved, resets
from tests.shop.models import Coupon, Product, Shelf

pytestmark = pytest.mark.django_db(transaction=True)


def migrate(*operations):
    """Apply a migration of the shop, from the models as they are."""
    migration = migrations.Migration("changed", "shop")
    migration.operations = list(operations)
    with connection.schema_editor(atomic=migration.atomic) as editor:
        migration.apply(ProjectState.from_apps(apps), editor)


def test_models_of_a_migration_are_told_by_row(lamp, told):
    """RunPython gets classes of its own making."""

    def forwards(apps, editor):
        product = apps.get_model("shop", "Product")
        product.objects.filter(pk=1).update(maker="you")
        product.objects.create(pk=7, maker="x")

    migrate(migrations.RunPython(forwards))

    assert told() == moved(lamp, ["maker:me"], ["maker:you"], ["shelf:1"]) | lines(
        (Product, 7), "entered", "maker:x"
    )


def test_migration_without_a_tracked_column_resets(told):
    """Halfway through the migrations the column is not there; no write may fail for that."""
    Coupon.objects.create(code="old")
    told.records()

    def forwards(apps, editor):
        coupon = apps.get_model("shop", "Coupon")
        coupon.objects.create(code="new")
        coupon.objects.filter(code="new").update(code="newer")
        coupon.objects.filter(code="old").delete()

    migrate(
        migrations.RemoveField("coupon", "shelf"),
        migrations.RunPython(forwards),
        migrations.AddField(
            "coupon", "shelf", models.ForeignKey("shop.Shelf", models.CASCADE, null=True)
        ),
    )

    assert list(Coupon.objects.values_list("code", flat=True)) == ["newer"]
    assert told() == resets(Coupon, "coupons:")


def test_migration_with_a_column_of_another_type_resets(told):
    """Its values are not those that the topics are made of."""

    def forwards(apps, editor):
        apps.get_model("shop", "Coupon").objects.create(code="new")

    shelf = models.ForeignKey("shop.Shelf", models.CASCADE, null=True)
    migrate(
        migrations.RemoveField("coupon", "shelf"),
        migrations.AddField("coupon", "shelf_id", models.CharField(max_length=9, null=True)),
        migrations.RunPython(forwards),
        migrations.RemoveField("coupon", "shelf_id"),
        migrations.AddField("coupon", "shelf", shelf),
    )

    assert told() == resets(Coupon, "coupons:")


@isolate_apps("tests.shop")
def test_second_class_with_the_columns_is_told_by_row(told):
    """As the tracked model's."""

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
    """It says nothing of what the topics are made of."""

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
