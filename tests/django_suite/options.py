"""What a child process is to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """The folder of Django's tests, which of them to run, how, and the file for the result.

    `labels` are a test app, or tests of it.
    """

    tests: str
    labels: list[str]
    tracked: bool
    triggers: bool
    result: str
