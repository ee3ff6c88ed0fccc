"""The judge: repeats by the writers' logs, wrong rows, and denials that clients do not know."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

from tests.convergence.judging import Truth, differences, read_commits, repeats, unaware
from tests.convergence.node_crowd import Watch

ROW = ("list:1", "board.task", "7")
LAST = ("list:61", "board.task", "9")


def log_of(folder: Path, *moments: float) -> Path:
    """Write a writer's log: commits at these moments, and a line that a kill cut off."""
    lines = [json.dumps({"at": at, "kind": "statement", "told": [ROW]}) for at in moments]
    path = folder / "writer-1.commits"
    path.write_text("\n".join([*lines, '{"at": 1']))
    return path


def client(since: float, told: int) -> SimpleNamespace:
    """A client that received so many changes of the row."""
    watch = Watch(ROW[0], since, Counter({ROW[1:]: told}))
    return SimpleNamespace(watches=[watch])


def test_a_client_that_receives_more_changes_than_were_written_has_repeats(tmp_path: Path) -> None:
    """One for each change too many."""
    commits = read_commits([log_of(tmp_path, 100, 101)], LAST)

    assert commits.number == 2
    assert repeats(client(since=50, told=2), commits) == 0
    assert repeats(client(since=50, told=4), commits) == 2


def test_commits_before_a_subscription_do_not_count(tmp_path: Path) -> None:
    """The client must not receive them."""
    commits = read_commits([log_of(tmp_path, 10, 100)], LAST)

    assert repeats(client(since=50, told=2), commits) == 1


def test_a_changed_a_deleted_and_a_missing_row_are_differences() -> None:
    """An equal row is none."""
    shown = {"list:1": {"1": ["a"], "2": ["old"], "3": ["gone"]}}
    truth = Truth({"list:1": {"1": ["a"], "2": ["new"], "4": ["more"]}}, {"7": frozenset()})

    found = differences(SimpleNamespace(shown=shown, viewer="7"), truth)

    assert found == {
        "list:1": {"2": (["old"], ["new"]), "3": (["gone"], None), "4": (None, ["more"])}
    }


def test_a_row_that_the_viewer_may_not_see_is_a_difference() -> None:
    """For a viewer who may see it, it is none."""
    rows = {"user:1": {"1": ["a"]}}
    truth = Truth(rows, {"7": frozenset(["user:1"]), "8": frozenset()})

    assert differences(SimpleNamespace(shown=rows, viewer="7"), truth) == {
        "user:1": {"1": (["a"], None)}
    }
    assert not differences(SimpleNamespace(shown=rows, viewer="8"), truth)
    assert not differences(SimpleNamespace(shown={"user:1": {}}, viewer="7"), truth)


def test_a_client_that_is_wrong_about_its_denials_is_unaware() -> None:
    """A denial that it does not know, or wrongly believes; only topics that it shows count."""
    truth = Truth({}, {"7": frozenset(["user:1", "user:2", "user:3"])})
    shown = {"user:1": {}, "user:2": {}, "user:4": {}}

    client = SimpleNamespace(shown=shown, viewer="7", denied={"user:2", "user:4"})

    assert unaware(client, truth) == {"user:1", "user:4"}
