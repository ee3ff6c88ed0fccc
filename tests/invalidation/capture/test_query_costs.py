"""The table of docs/explanation/captured.md that says what capture costs in queries."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from invalidation.tracking import registry as tracking
from tests.shop.models import Book, Product, Review, Shelf, Tag

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = Path(__file__).parents[3] / "docs/explanation/captured.md"
COLUMN = {"sqlite": 2, "postgresql": 3}[connection.vendor]


def table():
    """Return the table's rows: the way to write, and the numbers."""
    text = PAGE.read_text(encoding="utf-8")
    part = text.partition("<!-- queries -->")[2].partition("<!-- end of queries -->")[0]
    lines = [line.strip("|").split("|") for line in part.strip().splitlines()]
    return {cells[0].strip(): [cell.strip() for cell in cells] for cells in lines[2:]}


def saved():
    shelf = Shelf.objects.create()
    return shelf.save


def by_key():
    rows = Shelf.objects.filter(pk=Shelf.objects.create().pk)
    return lambda: rows.update(name="x")


def by_condition():
    Shelf.objects.create(name="a")
    return lambda: Shelf.objects.filter(name="a").update(name="x")


def key_changed():
    Shelf.objects.create(pk=50, name="a")
    return lambda: Shelf.objects.filter(name="a").update(id=51)


def bulk_updated():
    shelves = Shelf.objects.bulk_create([Shelf(), Shelf()])
    return lambda: Shelf.objects.bulk_update(shelves, ["name"])


def upserted():
    Shelf.objects.create(pk=50)
    options = {"update_conflicts": True, "unique_fields": ["id"], "update_fields": ["name"]}
    return lambda: Shelf.objects.bulk_create([Shelf(pk=50), Shelf(pk=51)], **options)


def deleted():
    return Review.objects.create().delete


def deleted_by_condition():
    Review.objects.create(text="a")
    return lambda: Review.objects.filter(text="a").delete()


def added():
    product, tag = Product.objects.create(), Tag.objects.create()
    return lambda: product.tags.add(tag)


def child_saved():
    return Book.objects.create().save


def parent_updated():
    rows = Product._base_manager.filter(pk=Book.objects.create().pk)
    return lambda: rows.update(maker="x")


CASES = {
    "`create()`": lambda: Shelf.objects.create,
    "`save()` of a stored row": saved,
    "`QuerySet.update()` of one primary key": by_key,
    "`QuerySet.update()` by any other condition": by_condition,
    "the same, with a new primary key": key_changed,
    "`bulk_update()`": bulk_updated,
    "`bulk_create()`": lambda: lambda: Shelf.objects.bulk_create([Shelf(), Shelf()]),
    "`bulk_create(update_conflicts=True)`": upserted,
    "`delete()` of an object": deleted,
    "`QuerySet.delete()` by a condition": deleted_by_condition,
    "`add()` to a many-to-many relation": added,
    "`create()` of a multi-table child": lambda: Book.objects.create,
    "`save()` of a multi-table child": child_saved,
    "`QuerySet.update()` of a parent's primary key": parent_updated,
}
ENDS = {
    "the COMMIT of a transaction with messages": saved,
    "the same, after a parent's write": parent_updated,
}


def queries_within(prepare):
    """Return the number of queries of a write that begins a transaction's writing."""
    write = prepare()
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        write()
    return len(queries)


def queries_around(prepare):
    """Return the number of queries of a transaction beside its BEGIN, its write and its COMMIT."""
    within, write = queries_within(prepare), prepare()
    with CaptureQueriesContext(connection) as queries, transaction.atomic():
        write()
    return len([q for q in queries if not q["sql"].startswith(("BEGIN", "COMMIT"))]) - within


def test_table_has_all_cases():
    """No row without a measurement, and none missing."""
    assert list(table()) == [*CASES, *ENDS]


@pytest.mark.parametrize("way", CASES)
def test_write_costs_the_documented_queries(way, monkeypatch):
    """Inside a transaction, as `assertNumQueries` counts them in a `TestCase`."""
    cells = table()[way]
    Shelf.objects.create()  # what is read once for a connection

    assert queries_within(CASES[way]) == int(cells[COLUMN])

    Book.objects.all().delete()
    Shelf.objects.all().delete()
    Review.objects.all().delete()
    Product.objects.all().delete()
    Tag.objects.all().delete()
    monkeypatch.setattr(tracking, "registry", tracking.Registry())
    assert queries_within(CASES[way]) == int(cells[1])


@pytest.mark.parametrize("way", ENDS)
def test_commit_costs_the_documented_queries(way):
    """They come once a transaction."""
    assert queries_around(ENDS[way]) == int(table()[way][COLUMN])


def test_write_outside_a_transaction_has_one_of_its_own(django_assert_num_queries):
    """BEGIN and COMMIT are queries that Django counts."""
    within, around = (int(table()[way][COLUMN]) for way in ("`create()`", next(iter(ENDS))))

    with django_assert_num_queries(1 + within + around + 1):
        Shelf.objects.create()
