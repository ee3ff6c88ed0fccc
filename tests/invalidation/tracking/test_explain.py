"""The command `explain_change`: the topics that receive a change of a row, and why."""

from __future__ import annotations

import io
import uuid

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests.shop.models import Book, Country, Express, Parcel, Product, Stock, Tag

pytestmark = pytest.mark.django_db


def explained(*args, **options):
    """Return the lines that the command prints: topic and rule."""
    out = io.StringIO()
    call_command("explain_change", *args, stdout=out, **options)
    return [tuple(line.split(maxsplit=1)) for line in out.getvalue().splitlines()]


def test_each_rule_has_a_line(lamp):
    """A rule that gives this row no topic has a line too."""
    since = timezone.make_aware(timezone.datetime(2020, 1, 31))
    Product.objects.update(since=since)

    lines = explained("shop.Product", "1")

    by_year = f"since = {Product.objects.get().since!r}"
    assert lines == [
        ("model:shop.product", "every row"),
        ("object:shop.product/1", "the row itself"),
        ("shelf:1", "'shelf:{shelf_id}', shelf_id = 1"),
        ("-", "'origin:{origin_id}', origin_id = None"),
        ("maker:me", "'maker:{maker}', maker = 'me'"),
        ("-", "'shout:{shout}', shout = ''"),
        ("-", "'price:{shelf_id}/{price}', price = None, shelf_id = 1"),
        ("year:2020", f"tests.shop.live.by_year(), name = '', {by_year}"),
    ]


def test_function_that_gives_nothing_has_a_line(lamp):
    """Its line has a dash, as a template's."""
    rules = {rule: topic for topic, rule in explained("shop.Product", "1")}

    assert rules["tests.shop.live.by_year(), name = '', since = None"] == "-"


def test_columns_stand_below_each_other(lamp):
    """The longest topic sets the column's width."""
    out = io.StringIO()
    call_command("explain_change", "shop.Product", "1", stdout=out)

    first, second, *_ = out.getvalue().splitlines()
    assert first.index("every row") == second.index("the row itself")


def test_label_may_be_written_in_any_case(lamp):
    """The label is looked up as Django does."""
    assert explained("shop.product", "1") == explained("shop.Product", "1")


def test_rows_of_children_stand_behind_their_parent():
    """A change of the parent's row is a change of the child's."""
    book = Book.objects.create(pk=5, author="eve")

    lines = explained("shop.Product", "5")

    assert lines[-3:] == [
        ("model:shop.book", "every row of shop.Book"),
        ("object:shop.book/5", "the row of shop.Book itself"),
        ("author:eve", "'author:{author}' of shop.Book, author = 'eve'"),
    ]
    assert explained("shop.Book", str(book.pk))[0] == ("model:shop.book", "every row")


def test_child_of_a_parent_with_another_key_is_found():
    """It is found by the key that it shares."""
    express = Express.objects.create(hours=3)
    assert Parcel.objects.count() == 1

    topics = [topic for topic, _ in explained("shop.Parcel", str(express.pk))]

    assert "hours:3" in topics


def test_row_of_a_table_between_names_its_ends(lamp):
    """A through row's change is published to the rows at its ends."""
    tag = Tag.objects.create(name="x")
    lamp.tags.add(tag)
    row = Product.tags.through.objects.get()

    lines = explained("shop.Product_tags", str(row.pk))

    assert lines[2:] == [
        ("object:shop.product/1", "the shop.product at its end, product_id = 1"),
        (f"object:shop.tag/{tag.pk}", f"the shop.tag at its end, tag_id = {tag.pk}"),
    ]


def test_key_may_be_composite():
    """A composite key is given as JSON."""
    Stock.objects.create(shop_number=1, product="nail")

    topics = [topic for topic, _ in explained("shop.Stock", '[1,"nail"]')]

    assert topics == [
        "model:shop.stock",
        "object:shop.stock/%5B1%2C%22nail%22%5D",
        "stock:1/nail",
        "-",
    ]


def test_key_may_be_a_uuid_or_a_text():
    """A key is given as text."""
    Parcel.objects.create(pk=uuid.UUID(int=7))
    Country.objects.create(code="a/b", name="n")

    assert explained("shop.Parcel", str(uuid.UUID(int=7)))[0][0] == "model:shop.parcel"
    assert explained("shop.Country", "a/b")[2][0] == "country:a%2Fb"


def test_row_that_a_manager_hides_is_found(lamp):
    """Changes of hidden rows are published, so they can be explained."""
    Product.objects.update(hidden=True)

    assert explained("shop.Product", "1")[0] == ("model:shop.product", "every row")


@pytest.mark.parametrize(
    ("model", "pk", "what"),
    [
        ("shop.Nothing", "1", "expected a model like app.Model"),
        ("Product", "1", "expected a model like app.Model"),
        ("nowhere.Product", "1", "expected a model like app.Model"),
        ("shop.Product", "404", "no shop.Product '404'"),
        ("shop.Product", "lamp", "no shop.Product 'lamp'"),
        ("shop.Parcel", "7", "no shop.Parcel '7'"),
        ("shop.Stock", "1", r"no shop.Stock '1'"),
        ("shop.Stock", "[1]", r"no shop.Stock '\[1\]'"),
        ("shop.Stock", "nail", "no shop.Stock 'nail'"),
        ("shop.Visit", "1", "shop.Visit is not tracked"),
    ],
)
def test_unknown_model_or_key_is_an_error(model, pk, what):
    """The error names the model or the key."""
    with pytest.raises(CommandError, match=what):
        explained(model, pk)
