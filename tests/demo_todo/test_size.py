"""The demo stays small, since readers of the tutorial end with it."""

from __future__ import annotations

from pathlib import Path

import demo_todo

FOLDER = Path(demo_todo.__file__).parent


def lines_of(pattern: str) -> int:
    """Count the lines that are not blank, in all files but the migrations."""
    files = [file for file in FOLDER.rglob(pattern) if "migrations" not in file.parts]
    assert files
    return sum(bool(line.strip()) for file in files for line in file.read_text().splitlines())


def test_the_demo_has_at_most_400_lines_of_python() -> None:
    assert lines_of("*.py") <= 400


def test_the_demo_has_at_most_80_lines_of_javascript() -> None:
    assert lines_of("*.js") <= 80
