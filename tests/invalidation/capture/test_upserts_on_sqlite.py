"""Upserts whose conflicts SQLite finds by other rules than a comparison of the column."""

from __future__ import annotations

import pytest
from django.db import models
from django.test.utils import isolate_apps

from tests.invalidation.capture.tables import run, table_of
from tests.invalidation.told import moved, resets

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]


def pages(**options):
    """Make the model."""

    class Page(models.Model):
        slug = models.CharField(max_length=20, **options)
        box = models.IntegerField()

        class Meta:
            app_label = "shop"

    return Page


def upsert(model, slug, box):
    """Insert a page, or move the one of this slug."""
    model.objects.bulk_create(
        [model(slug=slug, box=box)],
        update_conflicts=True,
        unique_fields=["slug"],
        update_fields=["box"],
    )


@isolate_apps("tests.shop")
def test_index_of_another_collation_finds_the_row_in_conflict(told):
    """The index ignores case, the column does not."""
    model = pages(db_index=False)
    model._meta.get_field("slug")._unique = True
    with table_of(model, "box:{box}"):
        run("DROP TABLE shop_page")
        run(
            "CREATE TABLE shop_page (id integer PRIMARY KEY AUTOINCREMENT, slug text, box int)",
            "CREATE UNIQUE INDEX by_slug ON shop_page (slug COLLATE NOCASE)",
        )
        page = model.objects.create(pk=1, slug="Lamp", box=1)
        told.records()

        upsert(model, "LAMP", 2)

        assert model.objects.values_list("slug", "box").get() == ("Lamp", 2)
        assert told() == moved(page, ["box:1"], ["box:2"])


@isolate_apps("tests.shop")
def test_two_indexes_of_one_column_reset(told):
    """It is unknown by which of them a conflict was found."""
    model = pages(unique=True)
    with table_of(model, "box:{box}"):
        run("CREATE UNIQUE INDEX by_slug ON shop_page (slug COLLATE NOCASE)")
        model.objects.create(pk=1, slug="lamp", box=1)
        told.records()

        upsert(model, "lamp", 2)

        assert model.objects.get().box == 2
        assert told() == resets(model, "box:")


class Lowered(models.CharField):
    """A field whose value the statement changes."""

    def get_placeholder(self, value, compiler, connection):
        return "lower(%s)"

    def get_placeholder_sql(self, value, compiler, connection):
        return "lower(%s)", [value]


@isolate_apps("tests.shop")
def test_value_that_the_statement_changes_resets(told):
    """The parameter is not what the index holds."""

    class Page(models.Model):
        slug = Lowered(max_length=20, unique=True)
        box = models.IntegerField()

        class Meta:
            app_label = "shop"

    with table_of(Page, "box:{box}"):
        Page.objects.create(pk=1, slug="Lamp", box=1)
        told.records()

        upsert(Page, "LAMP", 2)

        assert Page.objects.get().box == 2
        assert told() == resets(Page, "box:")
