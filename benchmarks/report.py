"""Format figures as a table, and write it into the documentation."""

from __future__ import annotations

import os
import platform
import re
import statistics
from collections.abc import Sequence
from pathlib import Path

import django

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "performance.md"


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value that `percent` of all values do not exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def machine() -> str:
    """Describe the machine and the versions of this run."""
    return (
        f"Python {platform.python_version()}, Django {django.__version__},"
        f" {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    )


def write_block(name: str, report: str) -> None:
    """Replace the block `<!-- begin NAME --> … <!-- end NAME -->` of the performance page."""
    text = PAGE.read_text()
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    block = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not block.search(text):
        raise LookupError(f"expected a block between {begin} and {end} in {PAGE}")
    PAGE.write_text(block.sub(lambda _: f"{begin}\n{report}\n{end}", text))
