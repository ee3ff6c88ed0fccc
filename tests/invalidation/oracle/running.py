"""Run programs unit by unit, and judge the messages of each transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.invalidation.oracle import audit, records
from tests.invalidation.oracle.blocks import Step, may_reset, refusable, run
from tests.invalidation.oracle.judging import Told, Verdict, judge
from tests.invalidation.oracle.snapshot import begin_anew, rows_now
from tests.invalidation.oracle.world import World

MOST_NEEDLESS = 5.0
"""Percent of the topics told."""


@dataclass
class Totals:
    """The numbers of programs, transactions and topics so far."""

    transactions: int = 0
    topics: int = 0
    needless: int = 0
    causeless: int = 0
    missing: int = 0
    resetting: int = 0
    """Transactions of threads that reset families."""
    refusals: Counter[str] = field(default_factory=Counter)
    """Refusals of the database that ask for a retry, by their kind."""
    written: Counter[str] = field(default_factory=Counter)
    """How often a way to write, alone, changed a row."""

    @property
    def needless_percent(self) -> float:
        """The share of needless topics, in percent."""
        return 100 * self.needless / max(self.topics, 1)

    @property
    def resetting_percent(self) -> float:
        """The share of transactions of threads that reset families, in percent."""
        return 100 * self.resetting / max(self.transactions, 1)


class Runner:
    """Runs programs. With `audited` triggers log the written rows; else any row counts as written.

    On SQLite capture takes another path if a table has triggers, so both are run.
    """

    def __init__(self, *, audited: bool, totals: Totals | None = None) -> None:
        self.totals = totals or Totals()
        self._audited = audited

    def run(self, program: Sequence[Step]) -> None:
        """Run a program on the same few rows; raise AssertionError for wrong messages."""
        begin_anew()
        world = World()
        self._before = rows_now()
        self._record = records.newest()
        self._entry = audit.newest() if self._audited else 0
        for unit in program:
            world.begin_unit()
            with refusable():
                run(world, unit)
            self._check(unit, world)

    def _check(self, unit: Step, world: World) -> None:
        before, after = self._before, rows_now()
        found = records.told_since(self._record)
        assert len(found) <= 1, f"{len(found)} records of one transaction: {unit}"
        if not found and before == after:
            return
        told = found[0][1] if found else Told()
        self._before, self._record = after, found[0][0] if found else self._record
        written = {row for row in before | after if before.get(row) != after.get(row)}
        self.totals.written[unit[0]] += bool(written)
        if self._audited:
            trail = audit.since(self._entry)
            self._entry = max([self._entry, *(entry.number for entry in trail)])
            assert written == audit.changed(trail), "the audit and the tables differ"
            written = {entry.row for entry in trail if entry.row}
        else:
            written |= before.keys() | after.keys()
        verdict = judge(before, after, written | world.by_hand, told)
        self._judge(unit, told, verdict, has_cause=world.went_on or may_reset(unit))

    def _judge(self, unit: Step, told: Told, verdict: Verdict, *, has_cause: bool) -> None:
        self.totals.transactions += 1
        self.totals.missing += len(verdict.missing)
        assert not verdict.missing, f"{unit} did not tell {sorted(verdict.missing)}"
        if has_cause:
            return
        self.totals.topics += verdict.topics
        self.totals.needless += len(verdict.needless)
        self.totals.causeless += len(told.resets)
        assert not told.resets, f"{unit} reset {sorted(told.resets)} without a cause"
        lies = {line for line in verdict.untrue if line[0] not in verdict.needless}
        assert not lies, f"{unit} told {sorted(lies)}, which is not so"
