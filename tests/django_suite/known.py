"""Differences that are no fault: tests of how a statement is sent, not of what it does.

Each entry names one test, with its subtests, the text that its error must contain, and the reason.
A test that fails with another error is a difference like any other.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """The text of the error in the tracked run, and why that is no fault."""

    error: str
    reason: str


_RETURNING = "it searches the statement's text for columns, which RETURNING repeats"

KNOWN = {
    "backends.base.test_base.ExecuteWrapperTests.test_wrapper_connection_specific": Known(
        "- [<function _detect", "it compares the whole list of execute wrappers"
    ),
    "composite_pk.test_update.CompositePKUpdateTests.test_save_user": Known(
        'sql.count(connection.ops.quote_name("tenant_id")), 1)', _RETURNING
    ),
    "composite_pk.test_update.CompositePKUpdateTests.test_update_fields_deferred": Known(
        'sql.count(connection.ops.quote_name("tenant_id")), 1)', _RETURNING
    ),
    "get_or_create.tests.UpdateOrCreateTests"
    ".test_update_only_defaults_and_pre_save_fields_when_local_fields": Known(
        'self.assertNotIn(connection.ops.quote_name("name"), update_sql)', _RETURNING
    ),
}


def is_known(name: str, difference: dict[str, object]) -> bool:
    """Return True if this difference is the one that is known of this test."""
    known = KNOWN.get(name.partition(" ")[0])
    return (
        known is not None
        and difference["plain"] == ["pass"]
        and difference["tracked"] == ["fail"]
        and known.error in str(difference["error"])
    )
