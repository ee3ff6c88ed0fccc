"""What the tests of `invalidation` share."""

from __future__ import annotations

import pytest

from tests.invalidation.told import Told


@pytest.fixture
def told() -> Told:
    """Return what was told by commits from here on, look by look."""
    return Told()
