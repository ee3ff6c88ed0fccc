"""The SQL functions that all triggers share: they spell values and store a record.

Only triggers call them. Triggers run with their owner's rights and pin the `search_path` to
PostgreSQL's own schema; names outside of it are qualified. So a role that may write a tracked table
cannot make a trigger call another function. `@schema@` stands for the schema that the migration
runs in.
"""

from __future__ import annotations

from realtime.models import StoredRecord

# One overload a type. If a column's type has changed, the spelling changes with it, or no overload
# fits and the trigger reports an error.
_TEXT = {
    "int2": "$1::text",
    "int4": "$1::text",
    "int8": "$1::text",
    "text": "$1",
    "uuid": "$1::text",
    "bool": "CASE WHEN $1 THEN 'True' WHEN NOT $1 THEN 'False' END",
    "date": "to_char($1::timestamp, 'YYYY-MM-DD')",
    "time": "to_char('2000-01-01'::date + $1, 'HH24:MI:SS'"
    " || CASE WHEN date_trunc('second', $1::interval) = $1::interval THEN '' ELSE '.US' END)",
    "timestamptz": "to_char($1 AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'"
    " || CASE WHEN date_trunc('second', $1) = $1 THEN '' ELSE '.US' END) || '+00:00'",
    # These casts fail on purpose: the trigger catches the error and resets the table's families.
    "timestamp": "('without a time zone: ' || $1)::integer::text",
    "numeric": "CASE WHEN scale($1) > 6 THEN ('maybe 1E-7 in Python: ' || $1)::integer::text"
    " ELSE $1::text END",
}

# As `pk_text` spells a part of a composite key. Types that JSON lacks are strings there.
_JSON = {
    kind: "to_json($1)::text"
    if kind in {"int2", "int4", "int8", "bool", "text"}
    else "to_json(@schema@.livequery_text($1))::text"
    for kind in _TEXT
}

# As `Topic.of` spells a part of a key. Most types hold no characters that need percent signs.
_PART = {
    **dict.fromkeys(_TEXT, "@schema@.livequery_text($1)"),
    **dict.fromkeys(
        ["time", "timestamptz"], "@schema@.livequery_quoted(@schema@.livequery_text($1))"
    ),
    "text": """CASE WHEN $1 COLLATE "C" ~ '^[A-Za-z0-9_.~-]+$' THEN $1
  ELSE @schema@.livequery_quoted($1) END""",
}

_FUNCTIONS = [
    *(("livequery_text", kind) for kind in _TEXT),
    *(("livequery_json", kind) for kind in _JSON),
    ("livequery_quoted", "text"),
    *(("livequery_part", kind) for kind in _PART),
    ("livequery_told", "text, text[], text[], text[], text[]"),
    ("livequery_ends", "text, text, text[]"),
    ("livequery_store", "text"),
]

# PostgreSQL inlines an SQL function that is a single expression. It would plan any other SQL
# function at each call, so those are in PL/pgSQL, which keeps its plans.
_EXPRESSION = "LANGUAGE sql STABLE PARALLEL SAFE"
_PROGRAM = "LANGUAGE plpgsql STABLE PARALLEL SAFE"

# An empty text has no spelling: the result is NULL.
_QUOTED = """
BEGIN
  RETURN (
    SELECT string_agg(CASE
      WHEN c COLLATE "C" ~ '^[A-Za-z0-9_.~-]$' THEN c
      ELSE regexp_replace(upper(encode(convert_to(c, 'UTF8'), 'hex')), '(..)', '%\\1', 'g')
    END, '' ORDER BY n)
    FROM string_to_table($1, NULL) WITH ORDINALITY AS characters (c, n)
  );
END
"""

# These functions return messages as JSON, joined by commas: members of a payload's list. Building
# the payload as jsonb takes twice as long.

# Arguments: a label; the topics of the rows before, and their keys; the topics of the rows after,
# and their keys.
_TOLD = """
BEGIN
  RETURN (
    SELECT string_agg(json_build_object(
      'topic', topic, 'changes', json_build_object($1, verbs)
    )::text, ',')
    FROM (
      SELECT topic, json_object_agg(pk, verb) AS verbs FROM (
        SELECT topic, pk, CASE
          WHEN bool_and(was) THEN 'left' WHEN bool_or(was) THEN 'updated' ELSE 'entered'
        END AS verb
        FROM (
          SELECT topic, pk, true AS was FROM unnest($2, $3) AS did (topic, pk)
          UNION ALL
          SELECT topic, pk, false FROM unnest($4, $5) AS does (topic, pk)
        ) AS states
        GROUP BY topic, pk
      ) AS rows
      GROUP BY topic
    ) AS topics
  );
END
"""

# Arguments: a label; the family of its rows' own topics; the keys of the rows at the relation's
# ends.
_ENDS = """
BEGIN
  RETURN (
    SELECT string_agg(json_build_object(
      'topic', $2 || @schema@.livequery_part(pk),
      'changes', json_build_object($1, json_build_object(pk, 'updated'))
    )::text, ',')
    FROM (SELECT DISTINCT unnest($3) AS pk) AS keys WHERE pk <> ''
  );
END
"""


def create_helpers() -> str:
    """Return the SQL that creates or replaces the functions."""
    made = [
        *(_expression("livequery_text", kind, body) for kind, body in _TEXT.items()),
        *(_expression("livequery_json", kind, body) for kind, body in _JSON.items()),
        _function("livequery_quoted(text)", "text", _PROGRAM, _QUOTED),
        *(_expression("livequery_part", kind, body) for kind, body in _PART.items()),
        _function("livequery_told(text, text[], text[], text[], text[])", "text", _PROGRAM, _TOLD),
        _function("livequery_ends(text, text, text[])", "text", _PROGRAM, _ENDS),
        _function("livequery_store(text)", "void", "LANGUAGE plpgsql", _store()),
    ]
    return "\n".join([*made, f"REVOKE ALL ON FUNCTION\n{_signatures()}\nFROM PUBLIC;"])


def drop_helpers() -> str:
    """Return the SQL that drops the functions."""
    return f"DROP FUNCTION IF EXISTS\n{_signatures()};"


def _store() -> str:
    """Return the body that stores a record of the messages $1, in the writer's transaction."""
    table = StoredRecord._meta.db_table
    return f"""
BEGIN
  INSERT INTO @schema@."{table}" ("token", "payload")
  VALUES (left(replace(gen_random_uuid()::text, '-', ''), 16), '[' || $1 || ']');
END
"""  # noqa: S608 -- our own table


def _expression(name: str, kind: str, body: str) -> str:
    return _function(f"{name}({kind})", "text", _EXPRESSION, f"\nSELECT {body}\n")


def _function(signature: str, result: str, kind: str, body: str) -> str:
    return (
        f"CREATE OR REPLACE FUNCTION @schema@.{signature} RETURNS {result}\n"
        f"{kind} AS $livequery${body}$livequery$;"
    )


def _signatures() -> str:
    return ",\n".join(f"  @schema@.{name}({arguments})" for name, arguments in _FUNCTIONS)
