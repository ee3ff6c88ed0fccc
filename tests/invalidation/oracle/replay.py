"""Judge the messages of threads from the audit: each transaction, in the order of the commits.

The transactions are replayed on a copy of the rows. Before and after each, the copy is the
committed state that every reader could see, so the transaction's record must match the difference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from django.db import connection

from tests.invalidation.oracle.audit import Entry
from tests.invalidation.oracle.judging import Told, Verdict, judge
from tests.invalidation.oracle.snapshot import State, driver
from tests.invalidation.oracle.tables import BY_LABEL, TABLES, Row

_PARENTS = {table.child: table.label for table in TABLES if table.child}


@dataclass(frozen=True)
class Judged:
    """One committed transaction."""

    name: str
    told: Told
    verdict: Verdict


def replay(state: State, entries: Iterable[Entry], told: Mapping[int, Told]) -> Iterator[Judged]:
    """Judge each transaction; `state` ends as the rows after the last one."""
    transactions: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        transactions[entry.transaction].append(entry)
    for name in _in_order_of_commit(transactions):
        found = [told[entry.record] for entry in transactions[name] if entry.row is None]
        assert len(found) <= 1, f"{len(found)} records of one transaction"
        written = [entry for entry in transactions[name] if entry.row is not None]
        rows = {row for entry in written for row in _with_kin(entry.row)}
        before = {row: state[row] for row in rows if row in state}
        for entry in written:
            _apply(entry, state)
        after = {row: state[row] for row in rows if row in state}
        tells = found[0] if found else Told()
        verdict = judge(before, after, {entry.row for entry in written if entry.row}, tells)
        yield Judged(name, tells, verdict)


def _apply(entry: Entry, state: State) -> None:
    assert entry.row is not None
    # Otherwise the order is not that of the commits, and the following verdicts are wrong.
    assert state.get(entry.row) == entry.before, f"{entry} meets {state.get(entry.row)}"
    if entry.after is None:
        state.pop(entry.row)
    else:
        state[entry.row] = entry.after


def _in_order_of_commit(transactions: Mapping[str, list[Entry]]) -> list[str]:
    """Return the transactions' names in commit order. On SQLite one writes at a time."""
    if connection.vendor == "sqlite":
        return list(transactions)
    sql = "SELECT x, pg_xact_commit_timestamp(x::xid8::xid) FROM unnest(%s::text[]) AS x"
    times = dict(driver().execute(sql, (list(transactions),)).fetchall())
    assert None not in times.values(), "an aborted transaction is in the audit"
    return sorted(transactions, key=times.__getitem__)


def _with_kin(row: Row | None) -> Iterator[Row]:
    """Give a row and the rows that share its columns by inheritance."""
    assert row is not None
    label, key = row
    yield row
    for kin in (BY_LABEL[label].child, _PARENTS.get(label)):
        if kin:
            yield kin, key
