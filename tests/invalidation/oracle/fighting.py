"""A round of threads that write the same rows, and its verdict."""

from __future__ import annotations

from tests.invalidation.oracle import audit, records
from tests.invalidation.oracle.replay import Judged, replay
from tests.invalidation.oracle.running import Totals
from tests.invalidation.oracle.snapshot import begin_anew, rows_now
from tests.invalidation.oracle.threads import Writers


def fight(
    totals: Totals, seed: int, each: int, *, writing_first: bool = False, upserting: bool = False
) -> None:
    """Let threads write, and judge every transaction that they committed.

    The audit's triggers must be installed. Only rounds with upserts may have resets.
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
    causeless = set() if upserting else judged.told.resets
    totals.causeless += len(causeless)
    assert not causeless, f"{judged.name} reset {sorted(causeless)} without a cause"
    lies = {line for line in verdict.untrue if line[0] not in verdict.needless}
    assert not lies, f"{judged.name} told {sorted(lies)}, which is not so"
