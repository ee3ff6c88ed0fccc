"""Very many attacks, for evidence: run by itself, not with the other tests.

`python -m pytest --timeout=0 tests/realtime/hostile/soak.py`. Each round has a seed. Earlier rounds
of this code count, so that an interrupted run continues: SEED=… is the first seed, SOAK_ATTACKS=…
the number of attacks in all.
"""

from __future__ import annotations

import os
import time
from itertools import count

from django.test import override_settings
from hypothesis import HealthCheck, given, seed, settings

from tests import evidence
from tests.realtime.hostile.attacks import Siege, attacks
from tests.realtime.hostile.direct import SETTINGS

WANTED = int(os.environ.get("SOAK_ATTACKS") or 100_000)
FIRST_SEED = int(os.environ.get("SEED") or 1)
EACH = 5_000

WHAT, DATABASE = "hostile: frames", "none"


def test_soak(no_rules, no_linger, capsys):
    """No error, no leak, and no neighbour has to wait."""
    known = evidence.rounds_of(WHAT, DATABASE)
    done = 0
    for number in count(FIRST_SEED):
        found = known.get(number) or run_round(number)
        done += found["attacks"]
        with capsys.disabled():
            print(f"{done:>8} of {WANTED}: {found}", flush=True)  # noqa: T201 -- its progress
        if done >= WANTED:
            break


def run_round(number):
    """Run a round; record its result, also if it failed."""
    began, totals, failed = time.monotonic(), [0, 0], {}
    try:
        with override_settings(REALTIME=SETTINGS), Siege() as siege:

            @seed(number)
            @settings(max_examples=EACH, database=None, suppress_health_check=list(HealthCheck))
            @given(attacks)
            def run(attack):
                siege.attack(attack)
                totals[:] = totals[0] + 1, siege.frames

            run()
    except BaseException as error:
        failed = {"failed": f"{type(error).__name__}: {error}"[:200]}
        raise
    finally:
        entry = {
            **evidence.about(WHAT, DATABASE),
            "seed": number,
            "attacks": totals[0],
            "frames": totals[1],
            "seconds": round(time.monotonic() - began),
        }
        evidence.write(entry | failed)
    return entry
