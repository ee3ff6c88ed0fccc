"""A client's frames may cost it the frame or the connection, and affect no other client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import override_settings
from hypothesis import HealthCheck, given, settings

from tests.realtime.hostile.attacks import Siege, attacks
from tests.realtime.hostile.direct import SETTINGS


@pytest.fixture
def siege(no_rules: None, no_linger: None) -> Iterator[Siege]:
    with override_settings(REALTIME=SETTINGS), Siege() as siege:
        yield siege


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(attack=attacks)
def test_no_attack_harms_a_neighbour(siege: Siege, attack: list[object]) -> None:
    """No error is logged, no state is left, and the neighbour gets its messages at once."""
    siege.attack(attack)
