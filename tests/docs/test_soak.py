"""What the documentation claims of soaks is what the evidence holds."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.convergence.site import BACKENDS
from tests.convergence.soak import LEAST_COMMITS, LONG_ROUND

DOCS = Path(__file__).resolve().parents[2] / "docs"
COUNTED = {"capture": "transactions", "convergence": "commits", "hostile": "attacks"}
CALLED = {"hostile": "attacks"}
"""What a paragraph calls what is counted, where it is not committed transactions."""
CLAIM = re.compile(r"<!-- soak: (\w+) (\d+) -->")


def claims() -> list[tuple[str, str, int]]:
    """Return every claim: the paragraph, what it is about, and of how many transactions."""
    return [
        (paragraph, what, int(number))
        for page in sorted(DOCS.rglob("*.md"))
        for paragraph in page.read_text().split("\n\n")
        for what, number in CLAIM.findall(paragraph)
    ]


@pytest.fixture(scope="module")
def evidence() -> list[dict[str, Any]]:
    return json.loads((DOCS / "reference/soak.json").read_text())


def about(what: str, evidence: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the entries about a part of the product."""
    return [each for each in evidence if each["what"].startswith(f"{what}:")]


@pytest.mark.parametrize(("paragraph", "what", "number"), claims())
def test_claim_is_held_by_evidence(paragraph, what, number, evidence) -> None:
    """The number that a paragraph says, and that its comment repeats, has been run."""
    rounds = about(what, evidence)

    called = CALLED.get(what, "committed transactions")
    assert f"at least {number:,} {called}" in " ".join(paragraph.split())
    assert sum(each[COUNTED[what]] for each in rounds) >= number


def test_every_page_that_speaks_of_evidence_claims_something() -> None:
    """Else the test above would hold for nothing."""
    speaking = [page for page in DOCS.rglob("*.md") if "soak.json" in page.read_text()]

    assert speaking
    assert all(CLAIM.search(page.read_text()) for page in speaking)


def test_soaks_have_found_nothing(evidence) -> None:
    """What a soak finds is written down until it is mended and that seed run again."""
    assert not [each for each in evidence if "failed" in each]


def test_soaks_of_capture_have_found_nothing(evidence) -> None:
    """Nothing missed, no reset without a cause, and nearly nothing needless."""
    rounds = about("capture", evidence)

    assert all(each["false_negatives"] == 0 for each in rounds)
    assert all(each["resets_without_cause"] == 0 for each in rounds)
    assert all(each["needless_percent"] <= 5 for each in rounds)


def test_soaks_of_capture_ran_on_both_databases(evidence) -> None:
    """And of both kinds: one writer after another, and many at once."""
    kinds = {(each["what"], each["database"].split()[0]) for each in about("capture", evidence)}

    assert {kind for kind, _ in kinds} == {"capture: programs", "capture: threads"}
    assert len(kinds) == 4


def test_convergence_was_tried_on_each_database_with_each_backend(evidence) -> None:
    """For a quarter of an hour each."""
    rounds = about("convergence", evidence)
    kinds = Counter((each["what"], each["database"].split()[0]) for each in rounds)

    for backend in BACKENDS:
        for database in ("SQLite", "PostgreSQL"):
            assert kinds[f"convergence: {backend}", database] * LONG_ROUND >= 900


def test_no_client_was_stale(evidence) -> None:
    """Through rounds with enough commits, and with each of their kinds of fault at least twice."""
    rounds = about("convergence", evidence)

    assert all(each["stale"] == 0 for each in rounds)
    assert all(each["commits"] >= LEAST_COMMITS for each in rounds)
    assert all(min(each["faults"].values()) >= 2 for each in rounds)
