"""Access that is revoked, beside messages and reconnects, in any order; the database judges."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.realtime.access.club import LISTS, REALTIME, USERS, Club, register_rule
from tests.realtime.live_client import PATIENCE

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:.*function-scoped"),
]

WAYS = ("join", "quit", "quit", "write", "write", "subscribe", "subscribe", "reconnect", "wait")
steps = st.tuples(
    st.sampled_from(WAYS), st.integers(0, USERS - 1), st.integers(0, LISTS - 1), st.booleans()
)


@settings(max_examples=settings.default.max_examples // 8, suppress_health_check=list(HealthCheck))
@given(program=st.lists(steps, min_size=5, max_size=25))
def test_members_receive_all_messages_and_others_none(
    no_rules: None, no_linger: None, program: list[tuple[str, int, int, bool]]
) -> None:
    """However subscriptions, writes and revocations overlap."""
    from realtime.access import rules

    rules._rules.clear()
    register_rule()
    with override_settings(REALTIME=REALTIME), asyncio.Runner() as runner:
        runner.run(_run(program))


async def _run(program: list[tuple[str, int, int, bool]]) -> None:
    club = Club()
    await club.begin()
    try:
        expected = await _perform(club, program)
        await asyncio.wait_for(_settled(club), PATIENCE)
        last = [await club.write(0, number) for number in range(LISTS)]
        await asyncio.wait_for(_told(club, last), PATIENCE)
        assert not club.wrong
        for page, topic, pk in expected:
            if page in club.pages and page.state.get(topic) == "live":
                assert pk in page.heard[topic] or topic in page.resets
    finally:
        await club.end()


async def _perform(club: Club, program: list[tuple[str, int, int, bool]]) -> list[Any]:
    """Run all steps, some at the same time; return the receivers of each task, if they stay."""
    expected: list[Any] = []
    running: list[asyncio.Task[Any]] = []
    for way, user, number, at_once in program:
        topic = club.topic(number)
        listening = [page for page in club.pages if page.state.get(topic) == "live"]
        heard = expected if way == "write" else []
        work = getattr(club, way)(user, number)
        task = asyncio.create_task(_step(work, listening, topic, heard))
        # Memberships change one after another; else the expected receivers would be unknown.
        if at_once and way in ("write", "wait"):
            running.append(task)
        else:
            await task
    await asyncio.gather(*running)
    return expected


async def _step(work: Any, listening: list[Any], topic: str, expected: list[Any]) -> None:
    pk = await work
    expected += [(page, topic, pk) for page in listening]


async def _settled(club: Club) -> None:
    """Wait until every client watches its user's lists, and no request is open."""
    while any(
        state == "asked" or (page.user, number) not in club.members
        for page in club.pages
        for number in range(LISTS)
        if (state := page.state.get(club.topic(number))) is not None
    ):
        await asyncio.sleep(0.002)


async def _told(club: Club, last: list[str]) -> None:
    """Wait until all subscribers have received the last task of each list."""
    while any(
        pk not in page.heard[club.topic(number)] and club.topic(number) not in page.resets
        for page in club.pages
        for number, pk in enumerate(last)
        if page.state.get(club.topic(number)) == "live"
    ):
        await asyncio.sleep(0.002)
