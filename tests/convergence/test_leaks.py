"""A client that is told of what was taken away from it is noticed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.convergence.fakes import Handler, Scene
from tests.convergence.imitation.subscription import Options
from tests.convergence.leaks import Leaks

TOLD = {"type": "changed", "topics": {"list:1": {}, "list:2": {}}}
AGAIN = {"type": "subscribed", "topics": {"list:1": {"cursor": "c"}}}


@pytest.mark.parametrize(
    "refusal",
    [
        {"type": "revoked", "topics": ["list:1"]},
        {"type": "denied", "topics": {"list:1": "not allowed"}},
    ],
)
def test_what_is_told_of_a_refused_topic_is_a_leak(refusal: dict[str, Any]) -> None:
    """Until it is subscribed again, or the connection is another."""
    leaks = Leaks()
    assert leaks.heard(TOLD) == []
    assert leaks.heard(refusal) == []
    assert leaks.heard(TOLD) == ["list:1"]

    leaks.heard(AGAIN)
    assert leaks.heard(TOLD) == []
    leaks.heard(refusal)
    leaks.opened()
    assert leaks.heard(TOLD) == []


async def test_a_client_counts_the_leaks_of_its_connections() -> None:
    """For the round's report, and it is not run for them."""
    scene, handler = Scene(), Handler(go=True)
    scene.live.subscribe("list:1", Options(cursor="c0"), handler)
    await scene.welcome()
    await scene.confirm("list:1")
    await scene.revoke("list:1")

    await scene.change("list:1")

    assert scene.tools.counts["leak"] == 1
    assert handler.told == []
