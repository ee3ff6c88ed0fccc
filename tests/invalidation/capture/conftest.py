"""Looking at what is told of rows that most tests of capturing start from."""

from __future__ import annotations

import pytest

from tests.invalidation.told import Told


@pytest.fixture
def told(shelves, lamp, told) -> Told:
    """Look only at what follows the arranging."""
    told.records()
    return told
