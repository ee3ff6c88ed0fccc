"""The triggers of one table, as SQL.

They fire once a statement, and see its rows as they were and are: one record a statement, and one
bound for its rows. Statements that the seam has issued are left to it. Statements within other
triggers and cascades are not: the seam does not see them.

What a multi-table parent's rows become also tells the rows of its tracked children, which inherit
the columns. An inserted row has a child already where it takes the place of another: foreign keys
are checked at the commit. A row that goes without its child must have such a successor, so a parent
that is itself not tracked has no triggers for deletes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from django.db.backends.utils import truncate_name

from invalidation.conf import conf
from invalidation.declarations import Declaration
from invalidation.plans import Plan, link_to
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
    payload := {otherwise};
  END;
{store}
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

_TELL_CHILDREN = """\
    IF TG_OP <> 'DELETE' THEN
      IF many > {most} THEN
        payload := concat_ws(',', payload, {too_many});
      ELSE
{children}
      END IF;
    END IF;"""

# The rows are locked, as the seam locks them: one that moves between topics at this moment must be
# told in both places. Nobody is kept waiting for that: with a writer in between they are reset.
_TELL_CHILD = """\
        BEGIN
          SELECT array_agg(topic), array_agg(pk) INTO does, does_keys
          FROM (
            SELECT child.* FROM {table} AS child JOIN new_rows ON child.{link} = new_rows.{parent}
            FOR NO KEY UPDATE OF child NOWAIT
          ) AS r CROSS JOIN LATERAL (SELECT {key} AS pk) AS k
          CROSS JOIN LATERAL (VALUES
            {topics}
          ) AS t (topic) WHERE topic IS NOT NULL;
          payload := concat_ws(',', payload, CASE WHEN does IS NOT NULL THEN {unspelled} END,
            @schema@.livequery_told({label}, does, does_keys, does, does_keys));
        EXCEPTION WHEN lock_not_available OR serialization_failure THEN
          payload := concat_ws(',', payload, {everything});
        END;"""

_RESET_CHILD = "        payload := concat_ws(',', payload, {everything});"

_STORE = "  PERFORM @schema@.livequery_store(payload);"

_STORE_IF_ANY = """\
  IF payload <> '' THEN
    PERFORM @schema@.livequery_store(payload);
  END IF;"""

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


def create_triggers(plan: Plan) -> str:
    """Return the SQL that makes a table's triggers, or puts them in the place of former ones."""
    table, own = plan.model._meta.db_table, plan.declaration
    function = _function_name(table)
    inherited: frozenset[Topic] = frozenset().union(*(child.families for child in plan.children))
    otherwise = "everything"
    if inherited:
        resets = _resets(inherited, Reset.RAW_SQL)
        otherwise = f"concat_ws(',', everything, CASE WHEN TG_OP <> 'DELETE' THEN {resets} END)"
    body = _FUNCTION.format(
        function=function,
        everything=_resets(own.families if own else (), Reset.RAW_SQL),
        most=conf.MAX_ROWS,
        tell="\n".join([*([_tell(own)] if own else []), *_tell_children(plan, inherited)]),
        otherwise=otherwise,
        store=_STORE if own else _STORE_IF_ANY,
    )
    if body.count("$livequery$") != 2:  # noqa: PLR2004 -- where it begins and ends
        raise ValueError(f"a column of {table} has $livequery$ in its name: rename it")
    # Of a table that was tracked itself there may be more of them.
    former = [] if own else [drop_triggers(table)]
    events = _TRIGGERS if own else ["INSERT", "UPDATE"]
    return "\n".join([*former, body, *_create_triggers(table, function, events)])


def drop_triggers(table: str) -> str:
    """Return the SQL that takes a table's triggers away, if it is there still."""
    return f"DROP FUNCTION IF EXISTS {_function_name(table)}() CASCADE;"


def _create_triggers(table: str, function: str, events: Iterable[str]) -> Iterator[str]:
    # What calls a function that writes another table than the statement is none of the seam's.
    name = _literal(table.rpartition(".")[2].strip('"'))
    for event in events:
        yield (
            f"CREATE OR REPLACE TRIGGER livequery_{event.lower()} AFTER {event}"
            f" ON {_identifier(table)}{_TRIGGERS[event]}\n"
            f"FOR EACH STATEMENT WHEN (pg_trigger_depth() > 0\n"
            f"  OR strpos(current_query(), {name}) = 0\n"
            f"  OR right(current_query(), 1000) !~ {_MARKED})\n"
            f"EXECUTE FUNCTION {function}();"
        )


def _tell(declaration: Declaration) -> str:
    spelled = _spelled(declaration)
    if not _has_told_rows(declaration, spelled):
        return _TELL_NO_ROWS
    told, unspelled = _templates(declaration, spelled)
    key = _key(declaration, spelled)
    topics = ",\n          ".join(f"({t})" for t in _topics(declaration, told, spelled))
    return _TELL_ROWS.format(
        most=conf.MAX_ROWS,
        too_many=_resets(declaration.families, Reset.BULK),
        unspelled=unspelled,
        label=_literal(declaration.label),
        did=_BELONGS.format(into="did", rows="old_rows", key=key, topics=topics),
        does=_BELONGS.format(into="does", rows="new_rows", key=key, topics=topics),
        ends="".join(_ends(declaration, spelled)),
    )


def _tell_children(plan: Plan, families: Collection[Topic]) -> Iterator[str]:
    if plan.children:
        yield _TELL_CHILDREN.format(
            most=conf.MAX_ROWS,
            too_many=_resets(families, Reset.BULK),
            children="\n".join(_tell_child(plan, child) for child in plan.children),
        )


def _tell_child(plan: Plan, child: Declaration) -> str:
    spelled = _spelled(child)
    link = link_to(plan.model, child=child.model)
    everything = _resets(child.families, Reset.RAW_SQL)
    if link is None or child.ends or not _has_told_rows(child, spelled):
        return _RESET_CHILD.format(everything=everything)
    told, unspelled = _templates(child, spelled)
    return _TELL_CHILD.format(
        table=_table(child.model._meta.db_table),
        link=_identifier(str(link.column)),
        parent=_identifier(str(plan.model._meta.pk.column)),
        key=_key(child, spelled),
        topics=",\n            ".join(f"({t})" for t in _topics(child, told, spelled)),
        unspelled=unspelled,
        label=_literal(child.label),
        everything=everything,
    )


def _spelled(declaration: Declaration) -> dict[str, str]:
    """Return the columns that SQL can spell, by attname."""
    fields: dict[str, Any] = {f.attname: f for f in declaration.model._meta.local_concrete_fields}
    return {name: f.column for name, f in fields.items() if is_spelled(f)}


def _has_told_rows(declaration: Declaration, spelled: Mapping[str, str]) -> bool:
    keys = [field.attname for field in declaration.model._meta.pk_fields]
    return spelled.keys() >= {*keys, *(end.column for end in declaration.ends)}


def _templates(declaration: Declaration, spelled: Mapping[str, str]) -> tuple[list[Template], str]:
    """Return the templates that SQL can fill, and the resets of all other families."""
    told = [t for t in declaration.templates if t.columns <= spelled.keys()]
    others = {t.family for t in declaration.templates if t not in told}
    computed = (rule.families for rule in declaration.computed)
    return told, _resets(others.union(*computed), Reset.RAW_SQL)


def _topics(
    declaration: Declaration, templates: Iterable[Template], columns: Mapping[str, str]
) -> Iterator[str]:
    """Return what spells each topic that a row may belong to."""
    yield _literal(declaration.model_topic)
    keys = [columns[field.attname] for field in declaration.model._meta.pk_fields]
    key = _part(keys[0]) if len(keys) == 1 else "@schema@.livequery_part(pk)"
    yield f"{_literal(declaration.object_family)} || {key}"
    for template in templates:
        yield _filled(template, columns)


def _ends(declaration: Declaration, columns: Mapping[str, str]) -> Iterator[str]:
    for end in declaration.ends:
        key = _text(columns[end.column])
        yield _ENDS.format(key=key, label=_literal(end.label), family=_literal(end.family))


def _filled(template: Template, columns: Mapping[str, str]) -> str:
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


def _key(declaration: Declaration, spelled: Mapping[str, str]) -> str:
    """Spell a primary key as `pk_text` does."""
    columns = [spelled[field.attname] for field in declaration.model._meta.pk_fields]
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


def _table(name: str) -> str:
    """Name a table where nothing is looked up."""
    return name if '"."' in name else f"@schema@.{_identifier(name)}"


def _identifier(name: str) -> str:
    """Quote a name; Django takes one in quotes as it is, for `"schema"."table"`."""
    if name.startswith('"') and name.endswith('"'):
        return name
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
