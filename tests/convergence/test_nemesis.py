"""Plans of faults: the seed decides them, and each kind comes."""

from __future__ import annotations

from collections import Counter

from tests.convergence.nemesis import FAULTS, plan

TARGETS = {"web": 3, "writer": 2, "relay": 0, "broker": 1, "clients": 3, "database": 1}
TARGETS |= {"redis": 1, "publishers": 1, "cluster": 0}


def test_a_seed_has_one_plan() -> None:
    """Equal for the same seed, different for another."""
    assert plan(1, 60, TARGETS, 2) == plan(1, 60, TARGETS, 2) != plan(2, 60, TARGETS, 2)


def test_each_kind_that_has_a_target_comes_at_least_so_often() -> None:
    """In a short round too."""
    numbers = Counter(fault.kind for fault in plan(1, 5, TARGETS, 2))

    assert numbers.keys() == {name for name, kind in FAULTS.items() if TARGETS[kind.target]}
    assert min(numbers.values()) >= 2


def test_faults_begin_within_the_round_and_have_existing_targets() -> None:
    """They are ordered by time."""
    faults = plan(1, 100, TARGETS, 1)

    assert [fault.at for fault in faults] == sorted(fault.at for fault in faults)
    assert all(0 < fault.at < 100 for fault in faults)
    assert all(fault.target < TARGETS[FAULTS[fault.kind].target] for fault in faults)


def test_a_plan_can_be_restricted_to_some_kinds() -> None:
    """A given kind without a target does not come."""
    faults = plan(1, 60, TARGETS, 2, only=("kill web", "kill relay"))

    assert {fault.kind for fault in faults} == {"kill web"}


def test_a_kind_that_needs_another_process_too_does_not_come_without_it() -> None:
    """This one kills writers, and needs a broker that hangs meanwhile."""
    kinds = {fault.kind for fault in plan(1, 60, TARGETS | {"broker": 0}, 1)}

    assert "kill writer" in kinds
    assert "kill unheard writer" not in kinds
