"""The SQL of one table's triggers.

They fire once a statement and receive its rows before and after: one record a statement, and one
limit for its rows. They skip statements that capture has marked, but not statements within other
triggers and cascades, which capture does not see.

A multi-table parent's trigger also publishes the rows of its tracked children, which inherit the
columns. An inserted parent row already has a child if it takes the place of another row: foreign
keys are checked at the commit. A parent row that is deleted without its child must have such a
successor, so a parent that is not tracked itself has no trigger for deletes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db.backends.utils import truncate_name

from invalidation.conf import conf
from invalidation.tracking.declarations import Declaration
from invalidation.tracking.write_plans import WritePlan
from invalidation.triggers.inheritance import tell_children
from invalidation.triggers.quoting import identifier, literal
from invalidation.triggers.rows import RowsInSql, resets
from realtime.messages.message import Reset
from realtime.messages.topics import Topic

_LONGEST_NAME = 63

# The marker of `capture.sql_marker`, at the end; comments of other tools may follow it.
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


def create_triggers(plan: WritePlan) -> str:
    """Return the SQL that creates or replaces a table's triggers."""
    table, own = plan.model._meta.db_table, plan.declaration
    function = _function_name(table)
    inherited: frozenset[Topic] = frozenset().union(*(child.families for child in plan.children))
    otherwise = "everything"
    if inherited:
        lost = resets(inherited, Reset.RAW_SQL)
        otherwise = f"concat_ws(',', everything, CASE WHEN TG_OP <> 'DELETE' THEN {lost} END)"
    body = _FUNCTION.format(
        function=function,
        everything=resets(own.families if own else (), Reset.RAW_SQL),
        most=conf.MAX_ROWS,
        tell="\n".join([*([_tell(own)] if own else []), *tell_children(plan, inherited)]),
        otherwise=otherwise,
        store=_STORE if own else _STORE_IF_ANY,
    )
    if body.count("$livequery$") != 2:  # noqa: PLR2004 -- where it begins and ends
        raise ValueError(f"a column of {table} has $livequery$ in its name: rename it")
    # If the table was tracked itself before, it may have more triggers than it needs now.
    former = [] if own else [drop_triggers(table)]
    events = _TRIGGERS if own else ["INSERT", "UPDATE"]
    return "\n".join([*former, body, *_create_triggers(table, function, events)])


def drop_triggers(table: str) -> str:
    """Return the SQL that drops a table's triggers, if they exist."""
    return f"DROP FUNCTION IF EXISTS {_function_name(table)}() CASCADE;"


def _create_triggers(table: str, function: str, events: Iterable[str]) -> Iterator[str]:
    # A statement that calls a function which writes another table is not one of capture's own.
    name = literal(table.rpartition(".")[2].strip('"'))
    for event in events:
        yield (
            f"CREATE OR REPLACE TRIGGER livequery_{event.lower()} AFTER {event}"
            f" ON {identifier(table)}{_TRIGGERS[event]}\n"
            f"FOR EACH STATEMENT WHEN (pg_trigger_depth() > 0\n"
            f"  OR strpos(current_query(), {name}) = 0\n"
            f"  OR right(current_query(), 1000) !~ {_MARKED})\n"
            f"EXECUTE FUNCTION {function}();"
        )


def _tell(declaration: Declaration) -> str:
    rows = RowsInSql(declaration)
    if not rows.can_be_told:
        return _TELL_NO_ROWS
    key, topics = rows.key, ",\n          ".join(rows.topics)
    return _TELL_ROWS.format(
        most=conf.MAX_ROWS,
        too_many=resets(declaration.families, Reset.BULK),
        unspelled=rows.unspelled,
        label=literal(declaration.label),
        did=_BELONGS.format(into="did", rows="old_rows", key=key, topics=topics),
        does=_BELONGS.format(into="does", rows="new_rows", key=key, topics=topics),
        ends="".join(
            _ENDS.format(
                key=rows.text(end.column), label=literal(end.label), family=literal(end.family)
            )
            for end in declaration.ends
        ),
    )


def _function_name(table: str) -> str:
    bare = truncate_name(
        "livequery_tell_" + table.replace('"', "").replace(".", "_"), _LONGEST_NAME
    )
    return f"@schema@.{identifier(bare)}"
