"""Counters whose values one client alone could not show."""

from __future__ import annotations

import pytest

from realtime.access import allow
from realtime.exceptions import UpstreamLost
from realtime.ops.metrics import METRICS
from realtime.telemetry import Counters, counters
from tests.realtime.fakes import FakePubSub
from tests.realtime.hub.listening import LIST, mailbox, running, until, within
from tests.realtime.transports import connection_of


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconnect to a lost backend at once."""
    monkeypatch.setattr("realtime.hub.hub.FIRST_PAUSE", 0.0)
    monkeypatch.setattr("realtime.hub.hub.LONGEST_PAUSE", 0.001)


async def test_a_backend_that_is_lost_is_counted_once_until_it_is_back() -> None:
    """However many attempts fail meanwhile."""
    pubsub, before = FakePubSub(), counters.lost
    async with running(pubsub) as hub:
        box = mailbox()
        await within(hub.subscribe(box, LIST))
        pubsub.fail = [UpstreamLost("away"), UpstreamLost("away")]
        pubsub.current.break_with(UpstreamLost("gone"))
        await until(lambda: len(pubsub.upstreams) == 2 and hub.is_connected)
        assert counters.lost == before + 1

        pubsub.current.break_with(UpstreamLost("gone again"))
        await until(lambda: counters.lost == before + 2)


async def test_a_revoked_topic_is_counted(hub, no_rules: None) -> None:
    """A topic that was watched, and whose rule says no now."""
    answers = [True]
    allow("list")(lambda user, key: answers[0])
    connection, before = connection_of(None, hub), counters.revoked
    assert await within(connection.authorization.ask({LIST: []})) == [LIST]

    answers[0] = False
    connection.authorization.doubt([LIST])

    await until(lambda: not connection.subscriptions.cursors)
    assert counters.revoked == before + 1
    await within(connection.let_go())


def test_a_forked_process_begins_anew() -> None:
    """Its counters start at 0."""
    counted = Counters(received=3, lost=1)
    counted.resets["bulk"] += 1

    counted.clear()

    assert counted == Counters()


def test_counters_end_as_prometheus_wants() -> None:
    """Only the names of counters end in `_total`."""
    for metric in METRICS:
        assert metric.name.endswith("_total") == (metric.kind == "counter"), metric.name
        assert metric.name.startswith("realtime_")
        assert metric.help.endswith(".")
