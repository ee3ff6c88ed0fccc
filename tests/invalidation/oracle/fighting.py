"""A round of threads that write the same rows, and its verdict."""

from __future__ import annotations

from django.db import connection

from tests.invalidation.oracle import audit, records
from tests.invalidation.oracle.replay import Judged, replay
from tests.invalidation.oracle.running import Totals
from tests.invalidation.oracle.snapshot import begin_anew, rows_now
from tests.invalidation.oracle.threads import Writers


def fight(
    totals: Totals, seed: int, each: int, *, writing_first: bool = False, upserting: bool = False
) -> None:
    """Let threads write, and judge every transaction that they committed.

    The audit's triggers must be installed. On SQLite, where one transaction writes at a time, only
    rounds with upserts may have resets. On PostgreSQL a transaction that meets another may reset
    what the other writes; the totals count these.
    """
    begin_anew()
    state, entry, record = rows_now(), audit.newest(), records.newest()
    writers = Writers(seed, writing_first=writing_first, upserting=upserting)
    writers.run(each)
    told = dict(records.told_since(record))
    for judged in replay(state, audit.since(entry), told):
        _count(totals, judged, upserting)
    assert state == rows_now(), "the audit and the tables differ"
    totals.refusals += writers.refusals


def _count(totals: Totals, judged: Judged, upserting: bool) -> None:
    verdict = judged.verdict
    totals.transactions += 1
    totals.topics += verdict.topics
    totals.needless += len(verdict.needless)
    totals.missing += len(verdict.missing)
    assert not verdict.missing, f"{judged.name} did not tell {sorted(verdict.missing)}"
    totals.resetting += bool(judged.told.resets)
    concurrent = upserting or connection.vendor == "postgresql"
    causeless = set() if concurrent else judged.told.resets
    totals.causeless += len(causeless)
    assert not causeless, f"{judged.name} reset {sorted(causeless)} without a cause"
    # A row that was read at one write of the transaction and not at the next may not be where the
    # first one said, but then its families are reset too.
    lies = {
        line
        for line in verdict.untrue
        if line[0] not in verdict.needless and not judged.told.is_reset(line[0])
    }
    assert not lies, f"{judged.name} told {sorted(lies)}, which is not so"
