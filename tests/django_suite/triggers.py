"""Triggers on every table, which change nothing: capture must behave as without them."""

from __future__ import annotations

from typing import Any

_EVENTS = ("INSERT", "UPDATE", "DELETE")


def create(connection: Any) -> None:
    """Create the triggers on all tables of a database."""
    with connection.cursor() as cursor:
        tables = [
            table.name
            for table in connection.introspection.get_table_list(cursor)
            if table.type in {"t", "p"} and not table.name.startswith("realtime_")
        ]
        made = _for_sqlite if connection.vendor == "sqlite" else _for_postgres
        for table in sorted(tables):
            for statement in made(connection.ops.quote_name(table)):
                cursor.execute(statement)


def _for_sqlite(table: str) -> list[str]:
    return [
        f"CREATE TRIGGER {_name(table, event)} AFTER {event} ON {table} BEGIN SELECT 1; END"
        for event in _EVENTS
    ]


_FUNCTION = """\
CREATE OR REPLACE FUNCTION django_suite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN RETURN OLD; ELSE RETURN NEW; END IF;
END $$"""


def _for_postgres(table: str) -> list[str]:
    """Return triggers of each kind that a table may have."""
    events = " OR ".join(_EVENTS)
    return [
        _FUNCTION,
        *(
            f"CREATE TRIGGER {_name(table, when)} {when} {events} ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION django_suite()"
            for when in ("BEFORE", "AFTER")
        ),
    ]


def _name(table: str, what: str) -> str:
    bare = table.strip('"')[:40].replace('"', "")
    return f'"suite_{bare}_{what.lower()}"'
