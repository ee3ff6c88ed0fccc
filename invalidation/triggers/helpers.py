"""The SQL that all triggers share: spelling values, and storing a record.

Every name in it is qualified, and each function that runs with its owner's rights pins its
`search_path`: whoever may write a tracked table can make none of them call something else.
`@schema@` stands for the schema that the migration runs in.
"""

from __future__ import annotations

from realtime.models import StoredRecord

# One overload a type: of a column whose type has changed since, the spelling follows; or there is
# none, which is noticed.
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
    # These casts fail, on purpose: an error is noticed, and the table's families are reset.
    "timestamp": "('without a time zone: ' || $1)::integer::text",
    "numeric": "CASE WHEN scale($1) > 6 THEN ('maybe 1E-7 in Python: ' || $1)::integer::text"
    " ELSE $1::text END",
}

# As `pk_text` spells a part of a composite key. What JSON does not know is a string there.
_JSON = {
    kind: "to_json($1)::text"
    if kind in {"int2", "int4", "int8", "bool", "text"}
    else "to_json(@schema@.livequery_text($1))::text"
    for kind in _TEXT
}

_FUNCTIONS = [
    *(("livequery_text", kind) for kind in _TEXT),
    *(("livequery_json", kind) for kind in _JSON),
    ("livequery_part", "text"),
    ("livequery_told", "jsonb, jsonb"),
    ("livequery_store", "jsonb"),
]

_PURE = "LANGUAGE sql IMMUTABLE PARALLEL SAFE"

_PART = """
SELECT CASE
  WHEN $1 = '' THEN NULL
  WHEN $1 COLLATE "C" ~ '^[A-Za-z0-9_.~-]+$' THEN $1
  ELSE (
    SELECT string_agg(CASE
      WHEN c COLLATE "C" ~ '^[A-Za-z0-9_.~-]$' THEN c
      ELSE regexp_replace(upper(encode(convert_to(c, 'UTF8'), 'hex')), '(..)', '%\\1', 'g')
    END, '' ORDER BY n)
    FROM string_to_table($1, NULL) WITH ORDINALITY AS characters (c, n)
  )
END
"""

_TOLD = """
SELECT jsonb_agg(jsonb_build_object('topic', topic, 'changes', changes)) FROM (
  SELECT topic, jsonb_object_agg(label, verbs) AS changes FROM (
    SELECT e ->> 0 AS topic, e ->> 1 AS label, jsonb_object_agg(e ->> 2, coalesce(e ->> 3,
      CASE WHEN did AND does THEN 'updated' WHEN did THEN 'left' ELSE 'entered' END)) AS verbs
    FROM (
      SELECT e, bool_or(was) AS did, bool_or(NOT was) AS does FROM (
        SELECT e, true AS was FROM jsonb_array_elements($1) AS did (e)
        UNION ALL SELECT e, false FROM jsonb_array_elements($2) AS does (e)
      ) AS both_sides GROUP BY e
    ) AS rows GROUP BY 1, 2
  ) AS labels GROUP BY topic
) AS topics
"""


def create_helpers() -> str:
    """Return the SQL that makes the functions, or puts them in the place of former ones."""
    made = [_function("livequery_text", kind, "text", _PURE, body) for kind, body in _TEXT.items()]
    made += [_function("livequery_json", kind, "text", _PURE, body) for kind, body in _JSON.items()]
    made.append(_function("livequery_part", "text", "text", _PURE, _PART))
    made.append(_function("livequery_told", "jsonb, jsonb", "jsonb", _PURE, _TOLD))
    made.append(_create_store())
    return "\n".join(made)


def drop_helpers() -> str:
    """Return the SQL that takes the functions away."""
    functions = (f"  @schema@.{name}({arguments})" for name, arguments in _FUNCTIONS)
    return "DROP FUNCTION IF EXISTS\n" + ",\n".join(functions) + ";"


def _create_store() -> str:
    """Return the function by which triggers store a record, in the writer's transaction."""
    table = StoredRecord._meta.db_table
    body = (
        f'INSERT INTO @schema@."{table}" ("token", "payload")'  # noqa: S608 -- our own table
        " VALUES (left(replace(gen_random_uuid()::text, '-', ''), 16), $1::text)"
    )
    pinned = "LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp"
    return _function("livequery_store", "jsonb", "void", pinned, body)


def _function(name: str, arguments: str, result: str, kind: str, body: str) -> str:
    signature = f"@schema@.{name}({arguments})"
    select = body.strip() if body.lstrip().startswith(("SELECT", "INSERT")) else f"SELECT {body}"
    return (
        f"CREATE OR REPLACE FUNCTION {signature} RETURNS {result}\n"
        f"{kind} AS $livequery$\n{select}\n$livequery$;\n"
        f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC;"
    )
