"""The triggers of one tracked table, as SQL.

They fire once a statement, and see its rows as they were and are: one record a statement, and one
bound for its rows. Statements that the seam has issued are left to it. Statements within other
triggers and cascades are not: the seam does not see them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from django.db.backends.utils import truncate_name

from invalidation.conf import conf
from invalidation.declarations import Declaration
from invalidation.templates import Column, Template
from invalidation.triggers.spelling import is_spelled
from realtime.messages import Reset
from realtime.topics import Topic

_LONGEST_NAME = 63

# The marker of `capture.marker`, at the end; comments of other tools may follow it.
_MARKED = r"'/\* livequery \*/(\s|/\*[^*]*\*/)*$'"

_FUNCTION = """\
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $livequery$
DECLARE
  everything CONSTANT text := {everything};
  payload text;
  many integer;
  did text[];
  did_keys text[];
  does text[];
  does_keys text[];
  ends text[] := '{{}}';
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    PERFORM @schema@.livequery_store(everything);
    RETURN NULL;
  END IF;
  BEGIN
    IF TG_OP = 'INSERT' THEN
      SELECT count(*) INTO many FROM (SELECT FROM new_rows LIMIT {most} + 1) AS counted;
    ELSE
      SELECT count(*) INTO many FROM (SELECT FROM old_rows LIMIT {most} + 1) AS counted;
    END IF;
    IF many = 0 THEN
      RETURN NULL;
    END IF;
{tell}
  EXCEPTION WHEN OTHERS THEN
    -- A column was renamed, or the like. It shall not keep anybody from writing.
    RAISE WARNING 'the triggers of % do not fit: run manage.py make_triggers (%)',
      TG_TABLE_NAME, SQLERRM;
    payload := everything;
  END;
  PERFORM @schema@.livequery_store(payload);
  RETURN NULL;
END
$livequery$;
REVOKE ALL ON FUNCTION {function}() FROM PUBLIC;"""

_TELL_ROWS = """\
    IF many > {most} THEN
      payload := {too_many};
    ELSE
      IF TG_OP <> 'INSERT' THEN
{did}
      END IF;
      IF TG_OP <> 'DELETE' THEN
{does}
      END IF;
      payload := concat_ws(',', {unspelled},
        @schema@.livequery_told({label}, did, did_keys, does, does_keys));{ends}
    END IF;"""

_TELL_NO_ROWS = "    payload := everything;"

_BELONGS = """\
        SELECT array_agg(topic), array_agg(pk) INTO {into}, {into}_keys
        FROM {rows} AS r CROSS JOIN LATERAL (SELECT {key} AS pk) AS k
        CROSS JOIN LATERAL (VALUES
          {topics}
        ) AS t (topic) WHERE topic IS NOT NULL;"""

_ENDS = """
      ends := '{{}}';
      IF TG_OP <> 'INSERT' THEN
        ends := ARRAY(SELECT {key} FROM old_rows AS r);
      END IF;
      IF TG_OP <> 'DELETE' THEN
        ends := ends || ARRAY(SELECT {key} FROM new_rows AS r);
      END IF;
      payload := concat_ws(',', payload, @schema@.livequery_ends({label}, {family}, ends));"""

_TRIGGERS = {
    "INSERT": " REFERENCING NEW TABLE AS new_rows",
    "UPDATE": " REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "DELETE": " REFERENCING OLD TABLE AS old_rows",
    "TRUNCATE": "",
}


def create_triggers(declaration: Declaration) -> str:
    """Return the SQL that makes a table's triggers, or puts them in the place of former ones."""
    table = declaration.model._meta.db_table
    function = _function_name(table)
    body = _FUNCTION.format(
        function=function,
        everything=_resets(declaration.families, Reset.RAW_SQL),
        most=conf.MAX_ROWS,
        tell=_tell(declaration),
    )
    if body.count("$livequery$") != 2:  # noqa: PLR2004 -- where it begins and ends
        raise ValueError(f"a column of {table} has $livequery$ in its name: rename it")
    return "\n".join([body, *_create_triggers(table, function)])


def drop_triggers(table: str) -> str:
    """Return the SQL that takes a table's triggers away, if it is there still."""
    return f"DROP FUNCTION IF EXISTS {_function_name(table)}() CASCADE;"


def _create_triggers(table: str, function: str) -> Iterator[str]:
    # What calls a function that writes another table than the statement is none of the seam's.
    name = _literal(table.rpartition(".")[2].strip('"'))
    for event, rows in _TRIGGERS.items():
        yield (
            f"CREATE OR REPLACE TRIGGER livequery_{event.lower()} AFTER {event}"
            f" ON {_identifier(table)}{rows}\n"
            f"FOR EACH STATEMENT WHEN (pg_trigger_depth() > 0\n"
            f"  OR strpos(current_query(), {name}) = 0\n"
            f"  OR right(current_query(), 1000) !~ {_MARKED})\n"
            f"EXECUTE FUNCTION {function}();"
        )


def _tell(declaration: Declaration) -> str:
    fields: dict[str, Any] = {f.attname: f for f in declaration.model._meta.local_concrete_fields}
    spelled = {name: f.column for name, f in fields.items() if is_spelled(f)}
    keys = [field.attname for field in declaration.model._meta.pk_fields]
    if not spelled.keys() >= {*keys, *(end.column for end in declaration.ends)}:
        return _TELL_NO_ROWS
    told = [t for t in declaration.templates if t.columns <= spelled.keys()]
    unspelled = {t.family for t in declaration.templates if t not in told}
    key = _key([spelled[name] for name in keys])
    topics = ",\n          ".join(f"({t})" for t in _topics(declaration, told, spelled))
    return _TELL_ROWS.format(
        most=conf.MAX_ROWS,
        too_many=_resets(declaration.families, Reset.BULK),
        unspelled=_resets(
            unspelled.union(*(rule.families for rule in declaration.computed)), Reset.RAW_SQL
        ),
        label=_literal(declaration.label),
        did=_BELONGS.format(into="did", rows="old_rows", key=key, topics=topics),
        does=_BELONGS.format(into="does", rows="new_rows", key=key, topics=topics),
        ends="".join(_ends(declaration, spelled)),
    )


def _topics(
    declaration: Declaration, templates: Iterable[Template], columns: dict[str, str]
) -> Iterator[str]:
    """Return what spells each topic that a row may belong to."""
    yield _literal(declaration.model_topic)
    keys = [columns[field.attname] for field in declaration.model._meta.pk_fields]
    key = _part(keys[0]) if len(keys) == 1 else "@schema@.livequery_part(pk)"
    yield f"{_literal(declaration.object_family)} || {key}"
    for template in templates:
        yield _filled(template, columns)


def _ends(declaration: Declaration, columns: dict[str, str]) -> Iterator[str]:
    for end in declaration.ends:
        key = _text(columns[end.column])
        yield _ENDS.format(key=key, label=_literal(end.label), family=_literal(end.family))


def _filled(template: Template, columns: dict[str, str]) -> str:
    parts = [
        _part(columns[part.attname])
        if isinstance(part, Column)
        else _literal(Topic.of("family", part).key)
        for part in template.parts
    ]
    return " || '/' || ".join([f"{_literal(template.family)} || {parts[0]}", *parts[1:]])


def _part(column: str) -> str:
    return f"@schema@.livequery_part(r.{_identifier(column)})"


def _text(column: str) -> str:
    return f"@schema@.livequery_text(r.{_identifier(column)})"


def _key(columns: list[str]) -> str:
    """Spell a primary key as `pk_text` does."""
    if len(columns) == 1:
        return _text(columns[0])
    parts = (f"@schema@.livequery_json(r.{_identifier(column)})" for column in columns)
    return "'[' || " + " || ',' || ".join(parts) + " || ']'"


def _resets(families: Collection[Topic], why: str) -> str:
    if not families:
        return "NULL"
    members = (json.dumps({"topic": family, "reset": why}) for family in sorted(families))
    return _literal(",".join(members))


def _function_name(table: str) -> str:
    bare = truncate_name(
        "livequery_tell_" + table.replace('"', "").replace(".", "_"), _LONGEST_NAME
    )
    return f"@schema@.{_identifier(bare)}"


def _identifier(name: str) -> str:
    """Quote a name; Django takes one in quotes as it is, for `"schema"."table"`."""
    if name.startswith('"') and name.endswith('"'):
        return name
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
