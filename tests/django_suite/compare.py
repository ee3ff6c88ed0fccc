"""Compare the outcomes of a test app's two runs."""

from __future__ import annotations

from typing import Any

from tests.django_suite.units import Result

NOT_RUN = ["not run"]


def differences(plain: Result, tracked: Result) -> dict[str, dict[str, Any]]:
    """Return the tests that ended otherwise, by their ids, with both outcomes and the error.

    A test has no outcome of its own if one of its subtests fails: the subtest stands for it.
    """
    found: dict[str, dict[str, Any]] = {}
    for side, result in (("plain", plain), ("tracked", tracked)):
        if "crash" in result:
            found[f"(the {side} process)"] = {"error": result["crash"]}
    ours, theirs = tracked["outcomes"], plain["outcomes"]
    for name in sorted(ours.keys() | theirs.keys()):
        if ours.get(name, NOT_RUN) != theirs.get(name, NOT_RUN):
            errors = tracked["errors"].get(name) or plain["errors"].get(name) or [""]
            found[name] = {
                "plain": theirs.get(name, NOT_RUN),
                "tracked": ours.get(name, NOT_RUN),
                "error": errors[-1],
            }
    subtests = {name.partition(" ")[0] for name in found if " " in name}
    return {name: each for name, each in found.items() if name not in subtests}
