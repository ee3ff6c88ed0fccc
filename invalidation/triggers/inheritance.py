"""SQL with which a parent table's trigger publishes the rows of multi-table children."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from invalidation.conf import conf
from invalidation.tracking.declarations import Declaration
from invalidation.tracking.write_plans import WritePlan, link_to
from invalidation.triggers.quoting import identifier, literal, qualified
from invalidation.triggers.rows import RowsInSql, resets
from realtime.messages.message import Reset
from realtime.messages.topics import Topic

_TELL_CHILDREN = """\
    IF TG_OP <> 'DELETE' THEN
      IF many > {most} THEN
        payload := concat_ws(',', payload, {too_many});
      ELSE
{children}
      END IF;
    END IF;"""

# The children's rows are locked, as capture locks them: one that moves between topics at this
# moment must be published to both. The trigger does not wait for another writer: if a row is
# locked, the child's families are reset.
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


def tell_children(plan: WritePlan, families: Collection[Topic]) -> Iterator[str]:
    """Give the SQL that publishes the plan's children; above MAX_ROWS rows it resets `families`."""
    if plan.children:
        yield _TELL_CHILDREN.format(
            most=conf.MAX_ROWS,
            too_many=resets(families, Reset.BULK),
            children="\n".join(_tell_child(plan, child) for child in plan.children),
        )


def _tell_child(plan: WritePlan, child: Declaration) -> str:
    rows = RowsInSql(child)
    link = link_to(plan.model, child=child.model)
    everything = resets(child.families, Reset.RAW_SQL)
    if link is None or child.ends or not rows.can_be_told:
        return _RESET_CHILD.format(everything=everything)
    return _TELL_CHILD.format(
        table=qualified(child.model._meta.db_table),
        link=identifier(str(link.column)),
        parent=identifier(str(plan.model._meta.pk.column)),
        key=rows.key,
        topics=",\n            ".join(rows.topics),
        unspelled=rows.unspelled,
        label=literal(child.label),
        everything=everything,
    )
