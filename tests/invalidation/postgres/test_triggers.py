"""Triggers: writes of other programs are published row by row."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest
from django.db import connection, transaction
from django.test import override_settings

from invalidation.capture.sql_marker import with_marker
from invalidation.triggers.differences import differences, load_migrations, wanted_triggers
from invalidation.triggers.operations import SetTriggers
from tests.invalidation.capture.raw import PRODUCTS, SHELVES, execute
from tests.invalidation.postgres.other_program import connected, installed, run
from tests.invalidation.told import lines, moved, resets
from tests.shop.models import Country, Product, Shelf, Stock, Tag

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

SHELF_2 = (Shelf, 2)


@pytest.fixture(scope="module", autouse=True)
def triggers(django_db_setup, django_db_blocker):
    """Create the triggers of all tracked models."""
    with django_db_blocker.unblock(), installed(differences(load_migrations())):
        yield


def test_inserted_rows_are_told(told):
    """An inserted row enters all of its topics."""
    run("INSERT INTO shop_shelf (id, name, inside_id) VALUES (7, '', 2), (8, '', NULL)")

    seven = lines((Shelf, 7), "entered", "shelf:7", "inside:2")
    assert told() == seven | lines((Shelf, 8), "entered", "shelf:8")


def test_updated_row_is_told_where_it_was_and_where_it_is(told):
    """The row leaves the former topic and enters the new one."""
    run("UPDATE shop_shelf SET inside_id = 2 WHERE id = 1", "UPDATE shop_shelf SET name = name")

    first, second = told.records()
    assert first == moved(Shelf(pk=1), [], ["inside:2"], ["shelf:1"])
    one, two = lines((Shelf, 1), "updated", "shelf:1", "inside:2"), (2, "updated", "shelf:2")
    assert second == one | lines((Shelf, two[0]), *two[1:])


def test_deleted_row_is_told(told):
    """A deleted row leaves all of its topics."""
    run("DELETE FROM shop_shelf WHERE id = 2")

    assert told() == lines(SHELF_2, "left", "shelf:2")


def test_changed_key_is_told_as_two_rows(told):
    """The row with the former key left, the one with the new key entered."""
    run("UPDATE shop_shelf SET id = 9 WHERE id = 2")

    left, entered = lines(SHELF_2, "left", "shelf:2"), lines((Shelf, 9), "entered", "shelf:9")
    assert told() == left | entered


def test_upsert_is_told_as_what_it_did(told):
    """One record has the inserted rows, one the updated rows."""
    run(
        "INSERT INTO shop_shelf (id, name) VALUES (2, ''), (7, '')"
        " ON CONFLICT (id) DO UPDATE SET name = 'x'"
    )

    assert set().union(*told.records()) == (
        lines(SHELF_2, "updated", "shelf:2") | lines((Shelf, 7), "entered", "shelf:7")
    )


def test_statement_that_finds_no_rows_tells_nothing(told):
    """Statement triggers fire without rows too."""
    run(
        "UPDATE shop_shelf SET name = 'x' WHERE id = 99",
        "DELETE FROM shop_shelf WHERE id = 99",
        "INSERT INTO shop_shelf (id, name) VALUES (1, '') ON CONFLICT DO NOTHING",
    )

    assert told.records() == []


def test_write_that_is_rolled_back_tells_nothing(told):
    """The record is part of the transaction and of the savepoint."""
    with connected() as program:
        with program.transaction(force_rollback=True):
            program.execute("UPDATE shop_shelf SET name = 'x'")
        with program.transaction():
            with program.transaction(force_rollback=True):
                program.execute("UPDATE shop_shelf SET name = 'x' WHERE id = 1")
            program.execute("UPDATE shop_shelf SET name = 'x' WHERE id = 2")

    assert told() == lines(SHELF_2, "updated", "shelf:2")


def test_copied_rows_are_told(told):
    """COPY fires the INSERT triggers."""
    into = "COPY shop_country (code, name) FROM STDIN"
    with connected() as program, program.cursor().copy(into) as copy:
        copy.write_row(("it/é", "Italia"))

    country = (Country, "it/é")
    assert told() == lines(country, "entered", "country:it%2F%C3%A9", "named:Italia")


def test_truncated_tables_are_reset(told):
    """TRUNCATE does not give the trigger its rows."""
    run("TRUNCATE shop_shelf CASCADE")

    assert set().union(*told.records()) >= SHELVES | PRODUCTS


@pytest.fixture
def told_of_few(told):
    """Create triggers with a limit of three rows a statement."""
    with override_settings(INVALIDATION={"MAX_ROWS": 3}):
        of_few = differences(load_migrations())
    former = wanted_triggers()
    with installed([SetTriggers(o.model, o.table, o.sql, former[o.table].sql) for o in of_few]):
        told.records()
        yield told


def test_statement_of_many_rows_resets(told_of_few):
    """Above the limit that the triggers were made with, not at it."""
    insert = "INSERT INTO shop_country (code, name) SELECT i, i FROM generate_series(1, {}) AS i"
    run(insert.format(3), "DELETE FROM shop_country", insert.format(4), "DELETE FROM shop_country")

    few, gone, many, all_gone = told_of_few.records()
    assert few == {line for i in "123" for line in country(i, "entered")}
    assert gone == {line for i in "123" for line in country(i, "left")}
    assert many == all_gone == resets(Country, "country:", "named:")


def country(code, verb):
    """Return the lines of a country whose name is its code."""
    return lines((Country, code), verb, f"country:{code}", f"named:{code}")


def test_computed_topics_are_reset(told):
    """SQL cannot call the Python function: its families are reset, other topics get rows."""
    run("UPDATE shop_product SET maker = 'you', price = 2.5")

    product = moved(Product(pk=1), ["maker:me"], ["maker:you", "price:1/2.50"], ["shelf:1"])
    assert told() == product | {"year: reset raw-sql"}


def test_rows_that_relate_rows_tell_both_ends(lamp, told):
    """A through table made by Django publishes to the rows at its ends."""
    tag = Tag.objects.create(pk=5, name="new")
    run("INSERT INTO shop_product_tags (product_id, tag_id) VALUES (1, 5)")
    through = Product.tags.through.objects.get()

    ends = {f"object:shop.product/{lamp.pk} shop.product 1 updated"}
    ends |= {f"object:shop.tag/{tag.pk} shop.tag 5 updated"}
    assert told() == lines(through, "entered") | ends


def test_composite_key_is_told_as_json(told):
    """The spelling is that of capture."""
    run("INSERT INTO shop_stock (shop_number, product, amount) VALUES (-4, E'a\"b/\\n', 1)")

    row = (Stock, (-4, 'a"b/\n'))
    assert told() == lines(row, "entered", "stock:-4/a%22b%2F%0A")


def test_statement_of_the_orm_is_told_once(lamp, told):
    """Capture has published it, in the record of its transaction."""
    with transaction.atomic():
        Shelf.objects.filter(pk=2).update(name="x")
        Product.objects.create(pk=2, price=Decimal("1.5"))
        lamp.delete()

    assert told() == (
        lines(SHELF_2, "updated", "shelf:2")
        | lines((Product, 2), "entered")
        | lines((Product, 1), "left", "shelf:1", "maker:me")
    )


def test_prepared_statement_of_the_orm_is_told_once(told):
    """The trigger sees the prepared text, with its marker."""
    raw = connection.connection
    raw.execute(with_marker("UPDATE shop_shelf SET name = %s WHERE id = 1"), ["a"], prepare=True)
    raw.execute(with_marker("UPDATE shop_shelf SET name = %s WHERE id = 1"), ["b"], prepare=True)
    assert told.records() == []

    raw.execute("UPDATE shop_shelf SET name = %s WHERE id = 2", ["a"], prepare=True)
    assert told() == lines(SHELF_2, "updated", "shelf:2")


def test_statement_that_another_tool_has_commented_on_is_told_once(told):
    """Tracing tools append comments after the marker."""
    run(with_marker("UPDATE shop_shelf SET name = 'x'") + " /*route='shelves'*/ ")

    assert told.records() == []


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE shop_shelf SET name = '/* livequery */' WHERE id = 2",
        "/* livequery */ UPDATE shop_shelf SET name = 'x' WHERE id = 2",
        "UPDATE shop_shelf SET name = 'x' WHERE id = 2 /* livequery */ OR '/* livequery */' = ''",
    ],
)
def test_marker_elsewhere_than_at_the_end_proves_nothing(sql, told):
    """A marker inside a value that a user has typed does not hide the write."""
    run(sql)

    assert told() == lines(SHELF_2, "updated", "shelf:2")


@pytest.fixture
def cascading(told):
    """Add a cascade from shelf to product in the database, and a trigger of the project's."""
    with connection.schema_editor() as editor:
        editor.execute(
            "ALTER TABLE shop_product ADD CONSTRAINT with_shelf FOREIGN KEY (shelf_id)"
            " REFERENCES shop_shelf ON DELETE CASCADE",
        )
        editor.execute(
            "CREATE FUNCTION project() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " UPDATE shop_shelf SET name = 'by trigger' WHERE id = 2; RETURN NULL; END $$;"
            "CREATE TRIGGER project AFTER INSERT ON shop_visit"
            " FOR EACH ROW EXECUTE FUNCTION project()"
        )
    told.records()
    yield told
    with connection.schema_editor() as editor:
        editor.execute("ALTER TABLE shop_product DROP CONSTRAINT with_shelf")
        editor.execute("DROP FUNCTION project CASCADE")


def test_cascade_of_a_marked_statement_is_told(cascading):
    """Capture sees the statement, but not the rows that the database deletes with it."""
    run(with_marker("DELETE FROM shop_shelf WHERE id = 1"))

    product = lines((Product, 1), "left", "shelf:1", "maker:me")
    assert cascading() == product | {"year: reset raw-sql"}


@pytest.mark.parametrize("mark", [with_marker, str])
def test_writes_of_a_projects_trigger_are_told(mark, cascading):
    """Also if a statement of capture fired the project's trigger."""
    run(mark("INSERT INTO shop_visit (page) VALUES ('x')"))

    assert cascading() == lines(SHELF_2, "updated", "shelf:2")


def test_marked_statement_does_not_hide_writes_of_a_function_to_another_table(told):
    """The marker holds for the statement's own table only."""
    run("INSERT INTO shop_country (code, name) VALUES ('no', 'x')")
    told.records()
    with connected() as program:
        program.execute(
            "CREATE FUNCTION pg_temp.aside() RETURNS integer LANGUAGE sql AS"
            " $$ UPDATE shop_shelf SET name = 'x' WHERE id = 2 RETURNING 1 $$"
        )
        program.execute(with_marker("UPDATE shop_country SET name = pg_temp.aside()::text"))

    assert told() == lines(SHELF_2, "updated", "shelf:2")


def test_renamed_column_does_not_refuse_writes(told):
    """Triggers that are out of date reset the model and raise a warning, not an error."""
    execute("ALTER TABLE shop_shelf RENAME COLUMN inside_id TO within_id")
    try:
        told.records()
        notices = []
        with connected() as program:
            program.add_notice_handler(lambda notice: notices.append(notice.message_primary))
            program.execute("UPDATE shop_shelf SET name = 'x'")
        assert told() == SHELVES
        assert any("make_triggers" in notice for notice in notices)
    finally:
        execute("ALTER TABLE shop_shelf RENAME COLUMN within_id TO inside_id")


def test_column_whose_new_type_is_not_spelled_resets(told):
    """No message has a wrongly spelled topic."""
    execute("ALTER TABLE shop_product ALTER COLUMN maker TYPE double precision USING 1.5")
    try:
        told.records()
        run("UPDATE shop_product SET maker = 2")
        assert told() == PRODUCTS
    finally:
        execute("ALTER TABLE shop_product ALTER COLUMN maker TYPE varchar(50)")


def test_column_whose_new_type_is_spelled_is_told_by_it(told):
    """The spelling is that of Python after the same migration."""
    execute("ALTER TABLE shop_product ALTER COLUMN maker TYPE boolean USING true")
    try:
        told.records()
        run("UPDATE shop_product SET maker = false")
        lamp = moved(Product(pk=1), ["maker:True"], ["maker:False"], ["shelf:1"])
        assert told() == lamp | {"year: reset raw-sql"}
    finally:
        execute("ALTER TABLE shop_product ALTER COLUMN maker TYPE varchar(50)")


@pytest.fixture
def stranger(told):
    """Create a role that may write one table only."""
    run(
        "CREATE ROLE stranger LOGIN",
        "GRANT USAGE, CREATE ON SCHEMA public TO stranger",
        "GRANT SELECT, INSERT, UPDATE ON shop_shelf TO stranger",
        "GRANT USAGE ON shop_shelf_id_seq TO stranger",
    )
    yield "-c role=stranger"
    run("DROP OWNED BY stranger", "DROP ROLE stranger")


def test_role_that_writes_the_table_need_not_write_the_records(stranger, told):
    """The trigger runs with its owner's rights."""
    run("UPDATE shop_shelf SET name = 'x' WHERE id = 2", options=stranger)

    assert told() == lines(SHELF_2, "updated", "shelf:2")


MISUSE = """
CREATE TEMP TABLE mine (id int);
CREATE TRIGGER mine AFTER TRUNCATE ON mine EXECUTE FUNCTION livequery_tell_shop_shelf()
"""


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT livequery_store('[]')",
        MISUSE,
        "INSERT INTO realtime_storedrecord (token, payload) VALUES ('', '[]')",
    ],
)
def test_other_roles_cannot_store_records(sql, stranger):
    """The helper functions are not executable for other roles."""
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run(sql, options=stranger)


def test_functions_of_other_schemas_are_not_called(stranger, told):
    """Functions with owner's rights ignore schemas that other roles can write."""
    with connected(options=stranger) as program:
        program.execute("CREATE TEMP TABLE realtime_storedrecord (token text, payload text)")
        program.execute("CREATE FUNCTION pg_temp.upper(text) RETURNS text RETURN 1 / 0")
        program.execute("CREATE FUNCTION public.upper(varchar) RETURNS text RETURN 1 / 0")
        program.execute("SET search_path = pg_temp, public, pg_catalog")
        program.execute("INSERT INTO public.shop_shelf (id, name) VALUES (3, 'é')")

    assert told() == lines((Shelf, 3), "entered", "shelf:3")
