"""Random programs of writes: exactly the committed changes are published.

On SQLite capture uses RETURNING if a table has no triggers, and reads the rows again if it has, as
with the audit's, which log unchanged rows too. So both are run.
"""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from hypothesis import HealthCheck, given, settings

from tests.invalidation.oracle.audit import audited
from tests.invalidation.oracle.programs import programs
from tests.invalidation.oracle.running import MOST_NEEDLESS, Runner

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

EXAMPLES, UNITS = 70, 24
ENOUGH = 400
"""Transactions at least, with and without triggers: fewer would prove less."""


@pytest.mark.parametrize("way", ["alone", "audited"])
def test_exactly_the_committed_changes_are_told(way):
    """No missing message, no reset without a cause, one record a transaction, little needless."""
    runner = Runner(audited=way == "audited")

    @settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
    @given(programs(UNITS))
    def run(program):
        runner.run(program)

    with audited() if way == "audited" else nullcontext():
        run()

    print(f"{runner.totals}")  # noqa: T201 -- the figures that -rP shows
    assert runner.totals.transactions >= ENOUGH
    assert runner.totals.needless_percent <= MOST_NEEDLESS
