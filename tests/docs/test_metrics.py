"""docs/reference/metrics.md says of every metric what the collector says."""

from __future__ import annotations

import re
from pathlib import Path

from realtime.conf import Defaults
from realtime.ops.metrics import METRICS
from realtime.ops.prometheus import RealtimeCollector

DOCS = Path(__file__).resolve().parents[2] / "docs"
ROW = re.compile(r"^\| `(\w+)` \| (?:`(\w+)`)? ?\| (.+) \|$", re.MULTILINE)


def test_the_page_has_each_metric_with_its_label_and_help() -> None:
    """In the order of the collector, and none that is gone."""
    page = (DOCS / "reference/metrics.md").read_text()

    assert ROW.findall(page) == [(each.name, each.label, each.help) for each in METRICS]


def test_the_collector_gives_each_of_them() -> None:
    """By the names under which they are scraped."""
    collected = [
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in RealtimeCollector().collect()
    ]

    assert collected == [each.name for each in METRICS]


def test_the_guide_names_no_metric_that_is_not_there() -> None:
    """Alerts on them would never come."""
    guide = (DOCS / "how-to/watch-a-running-system.md").read_text()

    # What is called `realtime_…` and is no command.
    commands = {"status", "topics", "connections", "connection", "log", "drain", "tail"}
    named = set(re.findall(r"`[^`\n]*?(realtime_\w+)", guide)) - {f"realtime_{c}" for c in commands}
    assert named
    assert named <= {each.name for each in METRICS}


def test_every_limit_is_one_that_the_page_says_how_to_count() -> None:
    """What is refused can be seen."""
    page = (DOCS / "reference/metrics.md").read_text()

    limits = {name for name in Defaults.__dataclass_fields__ if name.startswith("MAX_")}
    assert {name for name in limits if f"`{name}`" not in page} == set()
