"""A plan is decided by its seed."""

from __future__ import annotations

from collections import Counter

from tests.convergence.nemesis import FAULTS, plan

TARGETS = {"web": 3, "writer": 2, "relay": 0, "broker": 1, "clients": 3, "database": 1}
TARGETS |= {"redis": 1, "publishers": 1, "cluster": 0}


def test_a_seed_has_one_plan() -> None:
    """The same again, and another for another seed."""
    assert plan(1, 60, TARGETS, 2) == plan(1, 60, TARGETS, 2) != plan(2, 60, TARGETS, 2)


def test_each_kind_that_meets_somebody_comes_at_least_so_often() -> None:
    """However short the round."""
    numbers = Counter(fault.kind for fault in plan(1, 5, TARGETS, 2))

    assert numbers.keys() == {name for name, kind in FAULTS.items() if TARGETS[kind.target]}
    assert min(numbers.values()) >= 2


def test_faults_begin_within_the_round_and_meet_who_is_there() -> None:
    """In the order of their moments."""
    faults = plan(1, 100, TARGETS, 1)

    assert [fault.at for fault in faults] == sorted(fault.at for fault in faults)
    assert all(0 < fault.at < 100 for fault in faults)
    assert all(fault.target < TARGETS[FAULTS[fault.kind].target] for fault in faults)


def test_only_the_kinds_wanted_come() -> None:
    """And none that are wanted but meet nobody."""
    faults = plan(1, 60, TARGETS, 2, only=("kill web", "kill relay"))

    assert {fault.kind for fault in faults} == {"kill web"}


def test_a_kind_that_needs_another_process_too_does_not_come_without_it() -> None:
    """It meets writers, and needs a broker that can hang meanwhile."""
    kinds = {fault.kind for fault in plan(1, 60, TARGETS | {"broker": 0}, 1)}

    assert "kill writer" in kinds
    assert "kill unheard writer" not in kinds
