"""Detect writes that do not come through the ORM; their rows stay unknown.

An execute wrapper on every database connection receives each statement's text. A statement that
writes a tracked table, and that capture has not marked, resets the model's topics. That covers
`cursor.execute()` and `executemany()`, `RunSQL`, a `Manager.raw()` that writes, the schema editor
and `flush`.

It cannot see statements that do not pass through a cursor of Django's, nor writes that are not in
the text:

- the driver's own connection and cursor; psycopg's `copy()`; SQLite's `executescript()`;
- `callproc()`, and a function that writes within a SELECT;
- writes of triggers, cascades of the database, rules and views to other tables than the text names;
- writes to partitions of a tracked table by the partitions' own names.

On PostgreSQL triggers see all of that (`manage.py make_triggers`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db import connections, transaction
from django.db.backends.base.base import NO_DB_ALIAS, BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models import Model

from invalidation.capture.catalogue.foreign_keys import note_ddl
from invalidation.capture.catalogue.reading import forget_if_changed
from invalidation.capture.raw_sql.tables_written import (
    controls_transactions,
    only_reads,
    tables_written,
)
from invalidation.capture.raw_sql.transaction_control import Control, control_of
from invalidation.capture.sql_marker import has_marker
from invalidation.changes import UnknownRows
from invalidation.quiet import is_silent
from invalidation.tracking import registry as tracking
from invalidation.tracking.registry import declarations
from invalidation.transactions import by_hand
from invalidation.transactions.atomic import store_now
from invalidation.transactions.driver_state import (
    commits_each_statement,
    has_failed,
    is_in_transaction,
)
from invalidation.transactions.journal import journal_of
from invalidation.transactions.prepared import is_kept
from invalidation.transactions.settle import settle
from realtime.messages.message import Reset

Run = Callable[[], Any]
Models = Sequence[type[Model]]


def install() -> None:
    """Add the wrapper to every connection, open ones included; a second call does nothing.

    The connections that other threads have open cannot be reached: install before there are any.
    """
    connection_created.connect(_install_on_new, dispatch_uid="invalidation.raw_sql")
    for connection in connections.all(initialized_only=True):
        install_on(connection)


def install_on(connection: Any) -> None:
    """Add the wrapper to a connection, unless it has it."""
    if _detect not in connection.execute_wrappers:
        # The first wrapper is nearest to the database and gets the final text. And
        # `with connection.execute_wrapper(…)` removes the last one, whichever that is.
        connection.execute_wrappers.insert(0, _detect)


def _install_on_new(connection: BaseDatabaseWrapper, **_: Any) -> None:
    # The one by which databases are made and dropped is none of the project's.
    if connection.alias != NO_DB_ALIAS:
        install_on(connection)


def _detect(
    execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    connection = context["connection"]
    journal = journal_of(connection)
    if journal.is_open:
        settle(connection)
    try:
        return _execute(lambda: execute(sql, params, many, context), sql, params, connection)
    finally:
        if journal.is_open:
            settle(connection)
        else:
            journal.note_state()


def _execute(run: Run, sql: Any, params: Any, connection: BaseDatabaseWrapper) -> Any:
    text = _text_of(sql, connection)
    # Before all else: a SELECT can set a role.
    forget_if_changed(connection, text)
    if isinstance(sql, str) and only_reads(sql) and not sql.startswith("ROLLBACK TO "):
        return run()
    if has_marker(text):
        return run()
    control = control_of(text)
    if control is not None:
        return _end_transaction(run, control, params, connection, text)
    models = _models_written(text)
    result = _run(run, connection, models, text) if models else run()
    note_ddl(text, connection)
    return result


def _end_transaction(
    run: Run, control: Control, params: Any, connection: BaseDatabaseWrapper, text: str
) -> Any:
    """Run a text that may end the transaction."""
    name = control.name
    if control.is_parameter and params:
        name = str(next(iter(params)))
    known = name is not None and is_kept(connection, name)
    if control.verb == "commit prepared" and not known:
        # Another process has prepared it, or this one before a restart.
        return _run(run, connection, [each.model for each in declarations()], text)
    if control.verb is not None:
        return by_hand.HANDLERS[control.verb](connection, run, name)
    models = _models_written(text)
    known_to_django = connection.in_atomic_block or not connection.get_autocommit()
    if known_to_django or is_in_transaction(connection):
        entries = [UnknownRows(model, Reset.RAW_SQL) for model in models]
        return by_hand.run_several(connection, run, entries)
    return _run(run, connection, models, text) if models else run()


def _text_of(sql: Any, connection: BaseDatabaseWrapper) -> str:
    """Return a statement's text; psycopg also takes bytes and composed statements."""
    if isinstance(sql, str):
        return sql
    if isinstance(sql, bytes):
        return sql.decode(errors="replace")
    return str(sql.as_string(connection.connection)) if hasattr(sql, "as_string") else str(sql)


def _models_written(sql: str) -> Models:
    if is_silent():
        return ()
    registry = tracking.registry
    written = tables_written(sql, registry.tables)
    concerned = [each for table in written for each in registry.concerned(table)]
    return [declaration.model for declaration in concerned]


def _run(run: Run, connection: BaseDatabaseWrapper, models: Models, sql: str) -> Any:
    """Run a statement and note its tables, in one transaction where that is possible."""
    alone = controls_transactions(sql)
    # A failed statement may leave rows behind: `executemany`, OR FAIL, a program that commits.
    doubtful = alone or connection.vendor == "sqlite"
    if connection.in_atomic_block:
        each = commits_each_statement(connection)
        result = _run_and_note(run, connection, models, doubtful)
        if each:
            store_now(connection)
        return result
    autocommit = connection.get_autocommit()
    # SQLite cannot commit while a statement still has rows to return. In autocommit it commits once
    # they are fetched; messages that are stored before that belong to the same transaction.
    giving = autocommit and connection.vendor == "sqlite" and "returning" in sql.lower()
    if autocommit and not (alone or giving or is_in_transaction(connection)):
        with transaction.atomic(using=connection.alias, savepoint=False):
            return _run_and_note(run, connection, models, doubtful)
    try:
        return _run_and_note(run, connection, models, doubtful)
    finally:
        _store_after(connection, autocommit, giving)


def _run_and_note(run: Run, connection: BaseDatabaseWrapper, models: Models, doubtful: bool) -> Any:
    journal = journal_of(connection)
    entries = [UnknownRows(model, Reset.RAW_SQL) for model in models]
    try:
        result = run()
    except BaseException:
        if doubtful:
            journal.add(entries)
        raise
    journal.add(entries)
    return result


def _store_after(connection: Any, autocommit: bool, giving: bool) -> None:
    """Store and send the messages of a statement that runs outside of Django's blocks."""
    journal = journal_of(connection)
    if has_failed(connection):
        # PostgreSQL's transaction can only be rolled back.
        journal.clear()
    elif autocommit and (giving or is_in_transaction(connection)):
        # Raw SQL began the transaction and will end it without Django, so the record joins it now.
        store_now(connection)
    elif autocommit:
        entries = journal.entries()
        with transaction.atomic(using=connection.alias, savepoint=False):
            journal.clear()
            journal.add(entries)
    elif not is_in_transaction(connection):
        # With autocommit off some statements still commit by themselves: on SQLite, those on a
        # table.
        connection.commit()
