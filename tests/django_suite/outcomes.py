"""The test runner of the child processes: it records the outcome of each test."""

from __future__ import annotations

import re
import unittest
from typing import Any, ClassVar

from django.test.runner import DiscoverRunner

from tests.django_suite import own_queries, shadow, triggers
from tests.django_suite.every_model import track_every_model
from tests.django_suite.options import Options

_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")

_outcomes: dict[str, list[str]] = {}
_errors: dict[str, list[str]] = {}


def result() -> dict[str, Any]:
    """Return all that the parent process wants to know."""
    return {"outcomes": _outcomes, "errors": _errors, **own_queries.figures(), **shadow.figures()}


class Runner(DiscoverRunner):
    """Runs the tests after all models are tracked, if they are to be."""

    options: ClassVar[Options]
    """Set by the child before Django is set up."""

    def setup_databases(self, **kwargs: Any) -> Any:
        """Create the test databases, then the triggers; then begin to track and to watch."""
        made = super().setup_databases(**kwargs)
        if self.options.triggers:
            # Only the databases that the tests name are made.
            for connection, *_ in made:
                triggers.create(connection)
        own_queries.hide()
        if self.options.tracked:
            track_every_model()
            shadow.install()
        return made

    def get_resultclass(self) -> type[unittest.TestResult]:
        """Return the class that records."""
        return Recorder


class Recorder(unittest.TextTestResult):
    """Records outcomes by the test's id: a list, since a test may have several."""

    def addSuccess(self, test: Any) -> None:  # noqa: N802
        super().addSuccess(test)
        _note(test, "pass")

    def addFailure(self, test: Any, err: Any) -> None:  # noqa: N802
        super().addFailure(test, err)
        _note(test, "fail", self.failures[-1][1])

    def addError(self, test: Any, err: Any) -> None:  # noqa: N802
        super().addError(test, err)
        _note(test, "error", self.errors[-1][1])

    def addSkip(self, test: Any, reason: str) -> None:  # noqa: N802
        super().addSkip(test, reason)
        _note(test, "skip")

    def addExpectedFailure(self, test: Any, err: Any) -> None:  # noqa: N802
        super().addExpectedFailure(test, err)
        _note(test, "expected failure")

    def addUnexpectedSuccess(self, test: Any) -> None:  # noqa: N802
        super().addUnexpectedSuccess(test)
        _note(test, "unexpected success")

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:  # noqa: N802
        super().addSubTest(test, subtest, err)
        if err is None:
            _note(subtest, "pass")
        elif issubclass(err[0], test.failureException):
            _note(subtest, "fail", self.failures[-1][1])
        else:
            _note(subtest, "error", self.errors[-1][1])


def _note(test: Any, outcome: str, error: str = "") -> None:
    name = _ADDRESS.sub("0x…", test.id())
    _outcomes.setdefault(name, []).append(outcome)
    if error:
        _errors.setdefault(name, []).append(error)
