"""What a text of SQL does to transactions."""

from __future__ import annotations

import pytest

from invalidation.capture.raw_sql.transaction_control import Control, control_of


@pytest.mark.parametrize(
    ("sql", "verb"),
    [
        ("COMMIT", "commit"),
        ("commit;", "commit"),
        ("/* now */ COMMIT WORK -- done", "commit"),
        ("END", "commit"),
        ("END TRANSACTION", "commit"),
        ("COMMIT AND CHAIN", "commit"),
        ("COMMIT TRANSACTION", "commit"),
        ("ROLLBACK", "rollback"),
        ("ABORT", "rollback"),
        ("ROLLBACK WORK AND CHAIN", "rollback"),
    ],
)
def test_lone_statement_that_ends_a_transaction_is_found(sql, verb):
    """In each spelling of PostgreSQL and SQLite."""
    assert control_of(sql) == Control(verb)


@pytest.mark.parametrize(
    "sql", ["ROLLBACK TO s1", 'ROLLBACK TO SAVEPOINT "s1"', "rollback work to s1;"]
)
def test_savepoint_of_a_rollback_is_found(sql):
    """With quotes and without."""
    assert control_of(sql) == Control("rollback to", "s1")


@pytest.mark.parametrize(
    ("sql", "control"),
    [
        ("PREPARE TRANSACTION 'One''s'", Control("prepare", "One's")),
        ("COMMIT PREPARED 'One'", Control("commit prepared", "One")),
        ("ROLLBACK PREPARED 'One';", Control("rollback prepared", "One")),
        ("PREPARE TRANSACTION %s", Control("prepare", None, is_parameter=True)),
        ("COMMIT PREPARED /* so */ 'One'", Control("commit prepared")),
    ],
)
def test_name_of_a_prepared_transaction_is_found(sql, control):
    """In its own case; None if the text spells it unusually."""
    assert control_of(sql) == control


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE t SET a = 1; COMMIT",
        "BEGIN; COMMIT; BEGIN",
        "SELECT ';'; END",
        "SELECT 1; ROLLBACK TO SAVEPOINT a; SELECT 2",
    ],
)
def test_text_of_several_statements_is_in_doubt(sql):
    """What is committed depends on which of them run."""
    assert control_of(sql) == Control(None)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "BEGIN",
        "SAVEPOINT a",
        "RELEASE SAVEPOINT a",
        "SELECT 'COMMIT; ROLLBACK'",
        "INSERT INTO t VALUES ('COMMIT')",
        "UPDATE t SET a = CASE WHEN b THEN 1 END",
        "PREPARE plan AS SELECT 1",
        "DO $$ BEGIN UPDATE t SET a = 1; END $$",
        "CREATE TRIGGER a AFTER UPDATE ON t BEGIN UPDATE u SET a = 1; END;",
        'SELECT "end" FROM "commit"',
        "VACUUM",
    ],
)
def test_other_texts_end_nothing(sql):
    """Also if the words are in a string, a name, a program or an expression."""
    assert control_of(sql) is None
