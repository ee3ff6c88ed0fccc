"""The rows that most tests of capture start from."""

from __future__ import annotations

import pytest

from tests.invalidation.told import Told


@pytest.fixture
def told(shelves, lamp, told) -> Told:
    """Skip the records of the arranged rows."""
    told.records()
    return told
