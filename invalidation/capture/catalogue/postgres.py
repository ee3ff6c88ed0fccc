"""Read a table's facts from PostgreSQL's catalogue."""

from __future__ import annotations

import json
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from invalidation.capture.catalogue.facts import TableFacts

_QUERY = """
SELECT json_build_object(
  'kind', c.relkind, 'rules', c.relhasrules, 'children', c.relhassubclass,
  'hides', row_security_active(c.oid), 'heap', am.amname = 'heap',
  'selects', has_table_privilege(c.oid, 'SELECT'),
  'locks', has_any_column_privilege(c.oid, 'UPDATE'),
  'columns', (
    SELECT json_object_agg(a.attname, has_column_privilege(c.oid, a.attnum, 'SELECT'))
    FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  'unique', (
    SELECT json_agg(ARRAY(
      SELECT a.attname FROM pg_attribute a
      WHERE a.attrelid = i.indrelid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])))
    FROM pg_index i
    WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid
      AND i.indpred IS NULL AND i.indexprs IS NULL)
)::text
FROM pg_class c LEFT JOIN pg_am am ON am.oid = c.relam
WHERE c.oid = to_regclass(%s)
"""

TABLE, PARTITIONED = "r", "p"
_KINDS = {"v": "it is a view", "m": "it is a materialized view", "f": "it is a foreign table"}


def read_facts(connection: BaseDatabaseWrapper, table: str) -> TableFacts:
    """Return the facts of the table that this name finds on the search path."""
    driver: Any = connection.connection
    with driver.cursor() as cursor:
        cursor.execute(_QUERY, [connection.ops.quote_name(table)])
        found = cursor.fetchone()
    if found is None:
        return TableFacts(obstacle="it does not exist")
    return _facts(json.loads(found[0]))


def _facts(says: dict[str, Any]) -> TableFacts:
    columns = says["columns"] or {}
    obstacle = _KINDS.get(says["kind"], "")
    if says["kind"] not in {TABLE, PARTITIONED}:
        obstacle = obstacle or "it is no table"
    elif says["rules"]:
        obstacle = "it has rewrite rules"
    # A key is not unique over tables that inherit from each other by PostgreSQL's INHERITS.
    alone = says["kind"] == PARTITIONED or not says["children"]
    return TableFacts(
        obstacle=obstacle,
        hides_rows=says["hides"],
        columns=frozenset(columns),
        unreadable=frozenset(name for name, readable in columns.items() if not readable),
        unique=tuple(dict.fromkeys(names, "") for names in says["unique"] or () if alone),
        shows_versions=bool(says["kind"] == TABLE and alone and says["heap"] and says["selects"]),
        lockable=says["locks"],
    )
