"""The units: Django's test apps."""

from __future__ import annotations

from pathlib import Path

HANDFUL = (
    *("backends", "basic", "bulk_create", "composite_pk", "contenttypes_tests", "custom_pk"),
    *("delete", "delete_regress", "expressions", "fixtures", "force_insert_update"),
    *("generic_relations", "get_or_create", "m2m_through", "many_to_many", "model_inheritance"),
    *("model_inheritance_regress", "one_to_one", "prefetch_related", "queries"),
    *("select_for_update", "transactions", "unmanaged_models", "update", "update_only_fields"),
)
"""Test apps with most ways of writing. They take some minutes; all apps take an hour or more."""

_NO_TESTS = {"import_error_package", "test_runner_apps", "gis_tests", "requirements", "templates"}


def all_apps(tests: Path) -> list[str]:
    """Return the names of all test apps, as Django's `runtests.py` finds them without GIS."""
    return sorted(
        path.parent.name
        for path in tests.glob("*/__init__.py")
        if path.parent.name not in _NO_TESTS
    )
