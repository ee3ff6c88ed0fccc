"""Triggers: writes of other programs to multi-table parents publish the children's rows.

Random statements run on products and books, with the database as the oracle: before and after each
statement every row is read with all of its columns, inherited ones included.
"""

from __future__ import annotations

from contextlib import suppress

import psycopg
import pytest
from django.db import connection, models
from django.test import override_settings
from django.test.utils import isolate_apps
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invalidation.tracking import registry as tracking
from invalidation.tracking.declarations import Declaration
from invalidation.tracking.templates import read_template
from invalidation.tracking.write_plans import make_plans
from invalidation.triggers.differences import differences, load_migrations, wanted_triggers
from invalidation.triggers.operations import SetTriggers
from invalidation.triggers.tables import create_triggers, drop_triggers
from tests.invalidation.capture.raw import raw_resets
from tests.invalidation.postgres.other_program import connected, installed, run
from tests.invalidation.told import Told, lines, resets
from tests.shop.models import Book, Product

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

YEAR = {"year: reset raw-sql"}
"""Computed topics of products, reset with each statement."""

BOOKS = raw_resets(Book, "author:")


@pytest.fixture(scope="module", autouse=True)
def triggers(django_db_setup, django_db_blocker):
    """Create the triggers of all tracked models."""
    with django_db_blocker.unblock(), installed(differences(load_migrations())):
        yield


@pytest.fixture
def book(told):
    """Return a book, which is a product too; skip its record."""
    book = Book.objects.create(pk=2, author="ada", maker="me")
    told.records()
    return book


@pytest.fixture
def untracked(book, monkeypatch, told):
    """Track books, but not products, and create the triggers."""
    former = wanted_triggers()
    known = {m: d for m, d in tracking.registry.declarations.items() if m is not Product}
    monkeypatch.setattr(tracking, "registry", tracking.Registry(known))
    (made,) = [each for each in wanted_triggers().values() if each.table == "shop_product"]
    with installed([SetTriggers(made.model, made.table, made.sql, former[made.table].sql)]):
        told.records()
        yield


def of_book(verb="updated"):
    """Return the lines of the book's own row."""
    return lines((Book, 2), verb, "author:ada")


def of_product(verb="updated", pk=2):
    """Return the lines of its parent row, with the topics of a product by "me"."""
    return lines((Product, pk), verb, "maker:me")


def test_inherited_columns_tell_of_the_child(book, told):
    """The child's own topics get a message; products that are no books cause none for books."""
    run("UPDATE shop_product SET name = '' WHERE id = 2")
    assert told() == of_product() | of_book() | YEAR

    run("UPDATE shop_product SET name = '' WHERE id = 1")
    assert told() == lines((Product, 1), "updated", "maker:me", "shelf:1") | YEAR


@pytest.mark.usefixtures("untracked")
def test_untracked_parent_tells_of_the_child(told):
    """Its other rows, its inserts and its deletes publish nothing."""
    run("UPDATE shop_product SET name = '' WHERE id = 2")
    assert told() == of_book()

    run(
        "UPDATE shop_product SET name = '' WHERE id = 1",
        "INSERT INTO shop_product (name, maker, hidden) VALUES ('', '', false)",
        "DELETE FROM shop_product WHERE id = 1",
    )
    assert told.records() == []

    run("TRUNCATE shop_product CASCADE")
    assert set().union(*told.records()) >= BOOKS


REPLACE = (
    "DELETE FROM shop_product WHERE id = 2;"
    "INSERT INTO shop_product (id, name, maker, hidden) VALUES (2, 'other', 'me', false)"
)


def test_parents_row_that_takes_the_place_of_another_tells_of_the_child(book, told):
    """Within a transaction the parent's row may be missing; foreign keys are checked at its end."""
    run(REPLACE)

    assert set().union(*told.records()) >= of_product("left") | of_product("entered") | of_book()


@pytest.mark.usefixtures("untracked")
def test_row_of_an_untracked_parent_that_takes_the_place_of_another_tells_of_the_child(told):
    """An insert of an untracked parent concerns a child in this case only."""
    run(REPLACE)

    assert told() == of_book()


@pytest.mark.parametrize("rows", [Book.objects, Product._base_manager], ids=["child", "parent"])
def test_update_by_the_orm_is_told_once(rows, book, told):
    """Capture publishes the children, and the trigger skips the marked statement."""
    rows.filter(pk=2).update(name="new")

    product = of_product() | {"shout:NEW shop.product 2 entered"}
    assert told() == product | of_book()


@pytest.mark.usefixtures("untracked")
@pytest.mark.parametrize("rows", [Book.objects, Product._base_manager], ids=["child", "parent"])
def test_update_of_an_untracked_parent_by_the_orm_is_told_once(rows, told):
    """Statements on untracked parents are marked too."""
    rows.filter(pk=2).update(name="new")

    assert told() == of_book()


def test_statement_of_many_rows_resets_the_children(book, told):
    """Above MAX_ROWS rows the children's families are reset."""
    with override_settings(INVALIDATION={"MAX_ROWS": 1}):
        (few,) = [o for o in differences(load_migrations()) if o.table == "shop_product"]
    former = wanted_triggers()[few.table].sql
    with installed([SetTriggers(few.model, few.table, few.sql, former)]):
        told.records()
        run(
            "UPDATE shop_product SET name = '' WHERE id = 2",
            "UPDATE shop_product SET name = ''",
        )
        one, many = told.records()

    assert one == of_product() | of_book() | YEAR
    products = resets(Product, "shelf:", "origin:", "maker:", "shout:", "price:", "year:")
    assert many == products | resets(Book, "author:")


def test_child_that_another_writer_holds_is_reset(book, told):
    """The other writer may move the child to another topic. The statement does not wait for it."""
    with connected() as other, other.transaction():
        other.execute("UPDATE shop_book SET author = 'grace'")
        run("UPDATE shop_product SET name = ''", options="-c lock_timeout=1s")

    moved, product = told.records()
    assert product >= of_product() | BOOKS
    assert moved >= {
        f"author:{a} shop.book 2 {v}" for a, v in {"ada": "left", "grace": "entered"}.items()
    }


def test_child_cannot_move_before_its_parent_is_committed(book):
    """Otherwise the message would go to a topic that the child has left."""
    with connected() as other, other.transaction():
        other.execute("UPDATE shop_product SET name = ''")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            run("UPDATE shop_book SET author = 'grace'", options="-c lock_timeout=50ms")


def test_child_that_was_written_behind_a_snapshot_is_reset(book, told):
    """A REPEATABLE READ transaction does not see the child's new topic, and goes on."""
    with connected() as other, other.transaction():
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT FROM shop_book")
        run("UPDATE shop_book SET author = 'grace'")
        told.records()
        other.execute("UPDATE shop_product SET name = '' WHERE id = 2")

    assert told() == of_product() | YEAR | BOOKS


def test_renamed_column_of_the_child_does_not_refuse_writes(book, told):
    """The families of child and parent are reset."""
    run("ALTER TABLE shop_book RENAME COLUMN author TO writer")
    try:
        run("UPDATE shop_product SET name = '' WHERE id = 2")
        assert told() >= BOOKS | raw_resets(Product, "maker:")
    finally:
        run("ALTER TABLE shop_book RENAME COLUMN writer TO author")


with isolate_apps("tests.shop"):

    class Thing(models.Model):
        """Untracked."""

        name = models.TextField(default="")

        class Meta:
            app_label = "shop"

    class Tool(Thing):
        """Untracked too; its child does not share its key."""

        code = models.TextField(primary_key=True)
        thing = models.OneToOneField(Thing, models.CASCADE, parent_link=True)

        class Meta:
            app_label = "shop"

    class Saw(Tool):
        """A model with a tracked parent two tables up."""

        class Meta:
            app_label = "shop"

    class Lid(Thing):
        """A model with a key that SQL does not spell."""

        width = models.FloatField(primary_key=True)
        thing = models.OneToOneField(Thing, models.CASCADE, parent_link=True)

        class Meta:
            app_label = "shop"

    class Seen(Thing):
        """A proxy between parent and child."""

        class Meta:
            app_label = "shop"
            proxy = True

    class Lamp(Seen):
        """A model with the same parent table twice among its parents."""

        watts = models.FloatField(default=0)
        bulb = models.TextField(default="")

        class Meta:
            app_label = "shop"


def declared(model, *templates):
    """Return a declaration of a model's topics that is not registered."""
    return Declaration(model, tuple(read_template(t, model) for t in templates))


MADE = (Thing, Tool, Saw, Lid, Lamp)


@pytest.fixture
def things(told):
    """Create the tables, and the triggers of the parents only."""
    saw, lid = declared(Saw), declared(Lid, "width:{width}")
    lamp = declared(Lamp, "bulb:{bulb}", "watts:{watts}")
    plans = make_plans([saw, lid, lamp])
    operations = [
        SetTriggers("shop.thing", table, [create_triggers(plans[table])], [drop_triggers(table)])
        for table in ("shop_thing", "shop_tool")
    ]
    with connection.schema_editor() as editor:
        for model in MADE:
            editor.create_model(model)
    with installed(operations):
        run(
            "INSERT INTO shop_thing (id, name) VALUES (1, ''), (2, '')",
            "INSERT INTO shop_tool (thing_id, code) VALUES (1, 'a')",
            "INSERT INTO shop_saw (tool_ptr_id) VALUES ('a')",
            "INSERT INTO shop_lamp (thing_ptr_id, watts, bulb) VALUES (2, 1.5, 'E27')",
        )
        told.records()
        yield
    with connection.schema_editor() as editor:
        for model in reversed(MADE):
            editor.delete_model(model)


@pytest.mark.usefixtures("things")
def test_row_between_that_has_a_key_of_its_own_resets_the_child(told):
    """The child's key is that of the row one table up, but not of the row two tables up."""
    run("UPDATE shop_thing SET name = '' WHERE id = 1")
    assert told() == raw_resets(Saw) | raw_resets(Lid, "width:")

    run("UPDATE shop_tool SET thing_id = 1")
    assert told() == lines((Saw, "a"), "updated")


@pytest.mark.usefixtures("things")
def test_topics_of_the_child_that_are_not_spelled_are_reset(told):
    """Only if there is a child; once, although a proxy is in between."""
    run("UPDATE shop_thing SET name = '' WHERE id = 2")

    others = raw_resets(Saw) | raw_resets(Lid, "width:")
    lamp = lines((Lamp, 2), "updated", "bulb:E27") | {"watts: reset raw-sql"}
    assert told() == others | lamp


@pytest.mark.usefixtures("book")
def test_deletes_fire_no_triggers_of_an_untracked_parent(monkeypatch):
    """The triggers from when it was tracked are dropped; backwards they come back."""

    def events():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT tgname FROM pg_trigger"
                " WHERE tgrelid = 'shop_product'::regclass AND tgname LIKE 'livequery%'"
            )
            return {name.removeprefix("livequery_") for (name,) in cursor.fetchall()}

    former = wanted_triggers()["shop_product"]
    known = {m: d for m, d in tracking.registry.declarations.items() if m is not Product}
    monkeypatch.setattr(tracking, "registry", tracking.Registry(known))
    untracked = wanted_triggers()["shop_product"]
    with installed([SetTriggers(former.model, former.table, untracked.sql, former.sql)]):
        assert events() == {"insert", "update"}
    assert events() == {"insert", "update", "delete", "truncate"}


START = """
DELETE FROM shop_book;
DELETE FROM shop_product;
INSERT INTO shop_product (id, name, maker, hidden)
VALUES (1, '', '', false), (2, '', '', false), (3, '', 'a', false);
INSERT INTO shop_book (product_ptr_id, author) VALUES (2, 'a'), (3, '');
"""
PRODUCT_COLUMNS = "id, name, maker, shelf_id, hidden"
KEYS = st.integers(1, 4)
TEXTS = st.sampled_from(["", "a", "b"])
CHANGES = [
    "UPDATE shop_product SET maker = '{text}' WHERE id = {pk}",
    "UPDATE shop_product SET name = '{text}' WHERE id <> {pk}",
    "UPDATE shop_product SET shelf_id = nullif({pk} % 3, 0)",
    "UPDATE shop_book SET author = '{text}' WHERE product_ptr_id = {pk}",
    (
        "UPDATE shop_product SET hidden = NOT hidden FROM shop_book"
        " WHERE id = product_ptr_id AND author = '{text}'"
    ),
    # Child and parent in one statement:
    (
        "WITH b AS (UPDATE shop_book SET author = '{text}' WHERE product_ptr_id = {pk})"
        " UPDATE shop_product SET maker = '{text}' WHERE id = {pk}"
    ),
    (
        "WITH p AS (UPDATE shop_product SET id = id + 10 WHERE id = {pk} RETURNING id)"
        " UPDATE shop_book SET product_ptr_id = p.id FROM p WHERE product_ptr_id = p.id - 10"
    ),
    (
        "WITH b AS (DELETE FROM shop_book WHERE product_ptr_id = {pk})"
        " DELETE FROM shop_product WHERE id = {pk}"
    ),
    "DELETE FROM shop_book WHERE product_ptr_id = {pk}",
    (
        "WITH p AS (INSERT INTO shop_product (id, name, maker, hidden)"
        " VALUES ({pk}, '', '{text}', false) ON CONFLICT (id) DO UPDATE SET maker = '{text}'"
        " RETURNING id) INSERT INTO shop_book (product_ptr_id, author) SELECT id, '{text}' FROM p"
        " ON CONFLICT DO NOTHING"
    ),
]
STATEMENTS = st.builds(
    lambda change, pk, text: change.format(pk=pk, text=text), st.sampled_from(CHANGES), KEYS, TEXTS
)


@pytest.fixture
def program(lamp):
    """Connect another program."""
    with connected() as program:
        yield program


def rows_now():
    """Return each row as the ORM reads it, with its topics."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {PRODUCT_COLUMNS} FROM shop_product")
        products = {pk: (pk, *image) for pk, *image in cursor.fetchall()}
        cursor.execute("SELECT product_ptr_id, author FROM shop_book")
        books = dict(cursor.fetchall())
    rows = {}
    for pk, name, maker, shelf, _ in products.values():
        topics = {"model:shop.product", f"object:shop.product/{pk}"}
        topics |= {f"maker:{maker}"} if maker else set()
        topics |= {f"shout:{name.upper()}"} if name else set()
        topics |= {f"shelf:{shelf}"} if shelf else set()
        rows["shop.product", pk] = products[pk], topics
    for pk, author in books.items():
        topics = {"model:shop.book", f"object:shop.book/{pk}"}
        topics |= {f"author:{author}"} if author else set()
        rows["shop.book", pk] = (*products[pk], author), topics
    return rows


def told_of(row, did, does):
    """Return the lines that a row's change must have."""
    for topic in did | does:
        verb = "updated" if topic in did & does else "left" if topic in did else "entered"
        yield f"{topic} {row[0]} {row[1]} {verb}"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(STATEMENTS, min_size=1, max_size=5))
def test_exactly_the_writes_of_other_programs_are_told(program, statements):
    """No row is missing, and only families of computed topics are reset."""
    program.execute(START)
    told, before = Told(), rows_now()

    for statement in statements:
        # Foreign keys forbid deleting a book's product, or moving it onto another key.
        with suppress(psycopg.errors.IntegrityError):
            program.execute(statement)
        after = rows_now()
        check(set().union(*told.records()) - YEAR, before, after)
        before = after


def check(found, before, after):
    """Compare the lines with the changes of the rows."""
    must, may = set(), set()
    for row in before | after:
        (was, did), (is_now, does) = (rows.get(row, (None, set())) for rows in (before, after))
        all_of_it = set(told_of(row, did, does))
        # The parent's trigger finds the child's row as it is then, so its verb is "updated".
        may |= all_of_it | {f"{topic} {row[0]} {row[1]} updated" for topic in does}
        if was != is_now:
            must |= all_of_it
    assert must <= found <= may
