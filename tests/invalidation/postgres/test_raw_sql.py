"""The raw SQL detector with statements that only PostgreSQL has."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, transaction
from psycopg import sql

from tests.invalidation.capture.raw import PRODUCTS, SHELVES, UPDATE, execute
from tests.shop.models import Shelf

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


def test_raw_query_that_writes_is_told(told):
    """A data-modifying WITH in a raw query resets its table."""
    query = "WITH renamed AS (UPDATE shop_shelf SET name = 'raw' RETURNING *) SELECT * FROM renamed"

    assert {shelf.name for shelf in Shelf.objects.raw(query)} == {"raw"}
    assert told() == SHELVES


def test_several_statements_in_one_text_are_told(told):
    """The driver runs them in one transaction, so they have one record."""
    execute(f"SELECT 1; {UPDATE}; /* and */ UPDATE shop_product SET name = 'raw'")

    assert told() == SHELVES | PRODUCTS


def test_several_statements_of_which_one_fails_tell_nothing(told):
    """The database rolls all of them back."""
    with pytest.raises(DatabaseError):
        execute(f"{UPDATE}; SELECT 1 / 0")

    assert told.records() == []
    assert not Shelf.objects.filter(name="raw").exists()


def test_text_that_ends_transactions_itself_is_told_afterwards(told):
    """The resets are stored even if the text fails after its COMMIT."""
    with pytest.raises(DatabaseError):
        execute(f"BEGIN; {UPDATE}; COMMIT; SELECT 1 / 0")

    assert told() == SHELVES
    assert Shelf.objects.filter(name="raw").exists()


def test_program_that_commits_is_told_afterwards(told):
    """It cannot run within a transaction, so its resets are stored afterwards."""
    execute(f"DO $$ BEGIN {UPDATE}; COMMIT; END $$")

    assert told() == SHELVES


def test_procedure_that_commits_resets_everything(told):
    """The text of a CALL does not show the tables that it writes."""
    execute(
        f"CREATE PROCEDURE rename_shelves() LANGUAGE plpgsql AS $$ BEGIN {UPDATE}; COMMIT; END $$"
    )
    told.records()
    try:
        execute("CALL rename_shelves()")
        assert told() > SHELVES | PRODUCTS
    finally:
        execute("DROP PROCEDURE rename_shelves()")


def test_transaction_begun_by_raw_sql_and_broken_tells_nothing(told):
    """It can only be rolled back; the connection is usable afterwards."""
    execute("BEGIN")
    with pytest.raises(DatabaseError):
        execute("UPDATE shop_shelf SET id = 1")
    execute("ROLLBACK")
    execute(UPDATE)

    assert told() == SHELVES


def test_truncated_table_is_told(told):
    """TRUNCATE … CASCADE resets all models."""
    with transaction.atomic():
        execute("TRUNCATE shop_stock, shop_shelf CASCADE")

    assert told() > SHELVES | PRODUCTS


def test_composed_statements_and_bytes_are_read(told):
    """Psycopg takes statements of other types than `str`."""
    table = sql.Identifier("public", "shop_shelf")
    execute(sql.SQL("UPDATE {} SET name = {}").format(table, "raw"))
    assert told() == SHELVES

    execute(UPDATE.encode())
    assert told() == SHELVES
