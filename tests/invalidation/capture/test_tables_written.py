"""The tables that a text of SQL writes, found from the text."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invalidation.capture.raw_sql.tables_written import (
    LONGEST_CACHED,
    controls_transactions,
    only_reads,
    tables_written,
)
from tests.invalidation.capture.sql_texts import HIDING, READS, named, postgres_only, writing

TABLES = ("ours", "theirs", "only", "my shelf", "été")
TRACKED = frozenset({"shop_shelf"})


@given(st.data())
def test_written_table_is_found_in_every_disguise(data):
    """Quoted, qualified, in any case, after comments and WITH; read tables are left out."""
    target, read = data.draw(st.permutations(["ours", "theirs"]))
    sql = data.draw(writing(target, read))

    assert tables_written(sql, frozenset(TABLES)) == {target}


@given(st.data())
def test_statements_that_sqlite_lacks_are_found_too(data):
    """TRUNCATE, COPY, MERGE, several statements, and DDL."""
    sql = data.draw(postgres_only("shop_shelf"))

    assert tables_written(sql, TRACKED) == TRACKED


@pytest.mark.parametrize("sql", READS)
def test_table_that_is_only_read_or_mentioned_is_not_told(sql):
    """In FOR UPDATE, an ON clause, a literal, a subquery, or another table's foreign key."""
    assert tables_written(sql, TRACKED) == frozenset()


@pytest.mark.parametrize("sql", HIDING)
def test_tables_that_a_text_may_hide_are_told(sql):
    """If databases parse a text differently, or it runs a program, all mentioned tables count."""
    assert tables_written(sql, TRACKED) == TRACKED


@given(st.text("ab'\"`[]$;-/*\\ \n\rUPDATE", max_size=30), st.sampled_from(TABLES))
def test_writes_after_any_text_that_sqlite_runs_are_found(before, table):
    """After random quotes and comments, the detector finds each write that SQLite runs."""
    sql = f'{before} UPDATE "{table}" SET name = name || 1'
    database = small_database()
    with database:
        try:
            database.executescript(sql)
        except (sqlite3.Error, ValueError):
            return

    if contents(database) != contents(small_database()):
        assert table in tables_written(sql, frozenset(TABLES))


@given(st.data())
def test_exactly_the_tables_that_sqlite_changed_are_told(data):
    """The database is the oracle: generated statements run on real tables."""
    target, read = data.draw(st.permutations(TABLES))[:2]
    target_name = target if target.isascii() and " " not in target and target != "only" else None
    sql = data.draw(
        writing(target, read) if target_name and read in {"ours", "theirs"} else odd(target)
    )
    with small_database() as database:
        before = contents(database)
        try:
            with database:
                database.execute(sql)
        except sqlite3.IntegrityError:
            return
        changed = {table for table, rows in contents(database).items() if rows != before[table]}

    told = tables_written(sql, frozenset(TABLES))

    assert changed <= told <= {target}


def odd(table: str) -> st.SearchStrategy[str]:
    """Return a statement on a table whose name must be quoted, or may be a keyword."""
    quoted = st.sampled_from([f'"{table}"', f"`{table}`", f"[{table}]", f"main.[{table}]"])
    forms = ["DELETE FROM {}", "UPDATE {} SET name = 'ours'", "INSERT INTO {} SELECT 7, 'theirs'"]
    return st.tuples(st.sampled_from(forms), quoted).map(lambda made: made[0].format(made[1]))


def small_database() -> sqlite3.Connection:
    """Return an in-memory database whose tables have three rows each."""
    database = sqlite3.connect(":memory:")
    for table in TABLES:
        database.execute(f'CREATE TABLE "{table}" (id INTEGER PRIMARY KEY, name TEXT)')
        database.execute(f"INSERT INTO \"{table}\" VALUES (1, 'a'), (2, 'b'), (5, 'c')")
    database.commit()
    return database


def contents(database: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of all tables."""
    return {t: list(database.execute(f'SELECT * FROM "{t}" ORDER BY id')) for t in TABLES}


@given(named("ours"))
def test_table_whose_name_has_a_schema_is_compared_by_its_last_part(name):
    """A project may set `db_table = '"stock"."Ours"'`."""
    assert tables_written(f"DELETE FROM {name}", frozenset({'"stock"."Ours"'}))


def test_long_text_is_read_to_its_end():
    """Also a text that is too long for the cache."""
    rows = ", ".join(["(1)"] * LONGEST_CACHED)

    sql = f"INSERT INTO other VALUES {rows}; DELETE FROM shop_shelf"

    assert tables_written(sql, TRACKED) == TRACKED


@pytest.mark.parametrize("sql", ["CALL p()", "DO $$ $$", "SELECT 1; commit", "/**/ END"])
def test_text_that_may_end_transactions_is_known(sql):
    """It cannot run in a transaction that capture opens for it."""
    assert controls_transactions(sql)


def test_text_that_cannot_run_in_a_transaction_is_known():
    """The database would refuse it there."""
    assert controls_transactions("ALTER TABLE t DETACH PARTITION shop_shelf CONCURRENTLY")


def test_ordinary_write_controls_nothing():
    """It shares a transaction with its record."""
    assert not controls_transactions("WITH a AS (SELECT 1) DELETE FROM shop_shelf WHERE id = 1")


def test_ordinary_query_is_known_at_once():
    """It is not split into tokens."""
    assert only_reads('SELECT "a"."id" FROM "a" WHERE "a"."id" = %s LIMIT 21')
    assert not only_reads("SELECT id INTO shop_shelf FROM a")
    assert not only_reads("SELECT 1; DELETE FROM shop_shelf")
