"""Rows to start from, as elsewhere."""

from __future__ import annotations

from tests.invalidation.capture.conftest import lamp, shelves, told

__all__ = ["lamp", "shelves", "told"]
