"""Records on a database with many writers at a time: PostgreSQL.

A record gets its id when it is written and becomes visible when it is committed, in another order.
So a record holds its writer's transaction id, a position is a snapshot, and the records behind a
position are those that its snapshot does not see. See decision 7.

A cursor's epoch identifies one life of this history. The epoch changes when the server was
restarted or recovered from a crash, when another server has taken over, and when the table was
truncated, rewritten or restored. Row number 0 holds how far records were pruned.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import connections

from realtime.backends.database.history import IsUnseen
from realtime.backends.database.record import BATCH, Found, Record, needle, record_of
from realtime.backends.database.snapshot import Snapshot
from realtime.messages.cursors import Cursor
from realtime.messages.topics import Topic
from realtime.models import StoredRecord

_TABLE = f'"{StoredRecord._meta.db_table}"'
MOST_PRUNED = 10 * BATCH
"""Records that are pruned at once. It may be some more, since a transaction is pruned whole."""

_PRUNED = 0
_ONE_PRUNES = 5_206_171_418_340_552_061
"""An advisory lock that only one pruning process gets, so that two of them cannot deadlock."""
_STATS_IN_MEMORY = 150_000

# The server's start time changes at a restart, and at a fail-over to another server. A crash of one
# of its processes restarts all but the first, and may lose commits made with synchronous_commit =
# off. Its statistics are reset then. Before version 15 the statistics are in a file that is slow to
# read. The query reads the row in pg_class, not pg_relation_filenode(), since one snapshot must see
# both the row and the records.
_EPOCH = f"""
    SELECT left(encode(sha256(convert_to(concat_ws(' ',
        extract(epoch FROM pg_postmaster_start_time()),
        extract(epoch FROM {{recovered}}), c.oid, c.relfilenode, current_database()
    ), 'UTF8')), 'hex'), 16)
    FROM pg_class c WHERE c.oid = '{_TABLE}'::regclass
"""  # noqa: S608
_HEAD = """
    SELECT ({epoch}), pg_current_snapshot()::text, pg_current_xact_id_if_assigned()::text
"""
_NOW = """now AS MATERIALIZED (
        SELECT ({epoch}) AS epoch, pg_current_snapshot() AS snapshot,
            pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS xmax
    )"""
_PRUNED_TO = f"(SELECT p.xid FROM {_TABLE} p WHERE p.id = {_PRUNED} AND p.token = now.epoch)"  # noqa: S608
# Two index searches instead of one OR, which would read all rows since the oldest running
# transaction every time. WITH TIES: a transaction is read whole.
_READ = f"""
    WITH {_NOW}
    SELECT now.epoch, now.snapshot::text, {_PRUNED_TO}, r.xid, r.id, r.payload
    FROM now LEFT JOIN LATERAL (
        SELECT xid, id, payload FROM {_TABLE} WHERE xid >= %s AND xid < now.xmax AND id > {_PRUNED}
        UNION ALL
        SELECT xid, id, payload FROM {_TABLE} WHERE xid = ANY(%s::bigint[]) AND id > {_PRUNED}
        ORDER BY xid FETCH FIRST (%s) ROWS WITH TIES
    ) r ON true
"""  # noqa: S608
# The database searches the texts: reading them all would take a hundred times as long.
_SEARCH = f"""
    WITH {_NOW.replace("{", "{{").replace("}", "}}")}, found AS MATERIALIZED (
        SELECT r.xid, r.id, r.hit FROM now JOIN LATERAL (
            SELECT xid, id, {{hits}} AS hit FROM {_TABLE}
            WHERE xid >= %s AND xid < now.xmax AND id > {_PRUNED}
            UNION ALL
            SELECT xid, id, {{hits}} AS hit FROM {_TABLE}
            WHERE xid = ANY(%s::bigint[]) AND id > {_PRUNED}
            ORDER BY xid LIMIT %s
        ) r ON true
    )
    SELECT now.epoch, now.snapshot::text, {_PRUNED_TO}, (SELECT count(*) FROM found),
        r.xid, r.id, r.payload
    FROM now LEFT JOIN (found f JOIN {_TABLE} r ON f.hit AND r.id = f.id) ON true
"""  # noqa: S608
_RECENT = f"""
    WITH {_NOW}
    SELECT now.epoch, {_PRUNED_TO}, r.xid, r.id, r.payload
    FROM now CROSS JOIN (
        SELECT xid, id, payload FROM {_TABLE}
        WHERE xid < %s AND xid <> ALL(%s::bigint[]) AND id > {_PRUNED}
        ORDER BY xid DESC FETCH FIRST (%s) ROWS WITH TIES
    ) r
"""  # noqa: S608
_PRUNE = f"""
    WITH now AS MATERIALIZED (SELECT ({{epoch}}) AS epoch),
    bound AS MATERIALIZED (
        SELECT now.epoch, least(%s, 1 + (
            SELECT xid FROM {_TABLE} WHERE id > {_PRUNED} AND xid IS NOT NULL
            ORDER BY xid OFFSET %s LIMIT 1
        )) AS xid
        FROM now WHERE now.epoch = %s AND pg_try_advisory_xact_lock({_ONE_PRUNES})
    ),
    gone AS (
        DELETE FROM {_TABLE} r USING bound WHERE r.id > {_PRUNED} AND r.xid < bound.xid
        RETURNING r.id
    )
    INSERT INTO {_TABLE} AS p (id, token, xid, payload)
    SELECT {_PRUNED}, epoch, xid, '[]' FROM bound WHERE EXISTS (SELECT FROM gone)
    ON CONFLICT (id) DO UPDATE SET token = excluded.token, xid = CASE
        WHEN p.token = excluded.token THEN greatest(p.xid, excluded.xid) ELSE excluded.xid END
"""  # noqa: S608


def head(alias: str) -> Cursor:
    """Return the position of this connection's snapshot.

    The caller's own uncommitted records count as not seen, since its transaction may write more.
    """
    ((epoch, snapshot, own),) = _ask(alias, _HEAD)
    return Cursor(epoch, Snapshot.of(snapshot, int(own) if own else None).offset)


def read_after(cursor: Cursor, alias: str) -> Found | None:
    """Return BATCH records or more that the cursor's snapshot does not see, in whole transactions.

    Return None if some may have been pruned, or if the cursor is of another epoch or of the future.
    """
    last = Snapshot.parse(cursor.offset)
    if last is None:
        return None
    rows = _ask(alias, _READ, last.xmax, list(last.running), BATCH)
    epoch, snapshot, pruned = rows[0][:3]
    now = Snapshot.of(snapshot, None)
    if not _is_behind(cursor, last, epoch, now, pruned):
        return None
    found = sorted(row[3:] for row in rows if row[3] is not None)
    more = len(found) >= BATCH
    position = last.up_to(found[-1][0], now) if more else now
    return Found(_records(found, last, now, epoch), Cursor(epoch, position.offset), more)


def search(cursor: Cursor, topics: Collection[Topic], most: int, alias: str) -> Found | None:
    """Return the records of `topics` that `cursor` does not see.

    Return None where `read_after()` does. If `cursor` does not see more than `most` records of any
    topics, the result is incomplete and its `more` is True.
    """
    last = Snapshot.parse(cursor.offset)
    if last is None:
        return None
    texts = [needle(topic) for topic in topics]
    hits = f"({' OR '.join(['strpos(payload, %s) > 0'] * len(texts)) or 'false'})"
    sql = _SEARCH.format(hits=hits)
    rows = _ask(alias, sql, *texts, last.xmax, *texts, list(last.running), most + 1)
    epoch, snapshot, pruned, count = rows[0][:4]
    now = Snapshot.of(snapshot, None)
    if not _is_behind(cursor, last, epoch, now, pruned):
        return None
    found = sorted(row[4:] for row in rows if row[4] is not None)
    return Found(_records(found, last, now, epoch), Cursor(epoch, now.offset), count > most)


def recent(most: int, position: Cursor, alias: str) -> tuple[Cursor, list[Record]]:
    """Return `most` records or some more that `position` sees, and the position where they begin.

    They begin at a snapshot that sees all transactions before the first record; if these are all
    records, at the position that was pruned to. That snapshot does not see transactions that still
    run, whose records are read when they commit.
    """
    seen = Snapshot.parse(position.offset)
    assert seen is not None
    rows = _ask(alias, _RECENT, seen.xmax, list(seen.running), most)
    found = sorted(row[2:] for row in rows if row[0] == position.epoch)
    if not found:
        return position, []
    begin = found[0][0] if len(found) >= most else rows[0][1] or 1
    start = Snapshot(begin, tuple(xid for xid in seen.running if xid < begin))
    return Cursor(position.epoch, start.offset), _records(found, start, seen, position.epoch)


def prune(before: Cursor, alias: str) -> None:
    """Delete the records that are older than every transaction that ran at `before`.

    So a reader at `before`, or behind it, has seen all of them.
    """
    seen = Snapshot.parse(before.offset)
    if seen is not None:
        _ask(alias, _PRUNE, seen.xmin, MOST_PRUNED, before.epoch)


def unseen(
    since: Cursor, start: Cursor, position: Cursor, known: Collection[Cursor]
) -> IsUnseen | None:
    """Return the test for records that `since` does not see, if it sees all that `start` sees.

    A cursor that was taken after `position` may see more than was read so far: None then.
    """
    asked, first, last = (Snapshot.parse(each.offset) for each in (since, start, position))
    if asked is None or first is None or last is None or since.epoch != position.epoch:
        return None
    if not asked.sees_all_of(first) or asked.xmax > last.xmax:
        return None
    xmax, running = asked.xmax, frozenset(asked.running)
    return lambda place: place >= xmax or place in running


def short(position: Cursor) -> Cursor:
    """Return a position that fits a cursor; if too many transactions ran, one that sees less."""
    exact = Snapshot.parse(position.offset)
    return position if exact is None else Cursor(position.epoch, exact.short().offset)


def version(alias: str) -> object:
    """Return None: asking costs as much as reading."""
    return None


def _is_behind(
    cursor: Cursor, last: Snapshot, epoch: str, now: Snapshot, pruned: int | None
) -> bool:
    """Return True if no record that the cursor does not see was pruned."""
    if epoch != cursor.epoch or last.xmax > now.xmax:
        return False
    return pruned is None or pruned <= last.xmin


def _records(
    found: list[tuple[int, int, str]], last: Snapshot, now: Snapshot, epoch: str
) -> list[Record]:
    """Return each record with the position behind it: all that was seen up to its transaction.

    Only the last record of a transaction is followed by a new position: the others are followed by
    more records of the same transaction.
    """
    records = []
    behind = Cursor(epoch, last.short().offset)
    for place, (xid, _, payload) in enumerate(found):
        if place + 1 == len(found) or found[place + 1][0] != xid:
            behind = Cursor(epoch, last.up_to(xid, now).short().offset)
        records.append(record_of(payload, behind, xid))
    return records


def _ask(alias: str, sql: str, *parameters: object) -> list[Any]:
    connection: Any = connections[alias]
    with connection.cursor() as cursor:
        kept = connection.pg_version >= _STATS_IN_MEMORY
        recovered = "pg_stat_get_bgwriter_stat_reset_time()" if kept else "NULL::timestamptz"
        cursor.execute(sql.format(epoch=_EPOCH.format(recovered=recovered)), parameters)
        return cursor.fetchall() if cursor.description else []
