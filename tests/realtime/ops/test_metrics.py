"""Metrics for operators, as Prometheus reads them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import connections
from django.test import RequestFactory, override_settings
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

import realtime.ops.prometheus
from realtime import Message, publish
from realtime.access import allow
from realtime.messages.message import Reset
from realtime.server import close_server, server_of
from tests.realtime.hub.listening import until
from tests.realtime.live_client import PATIENCE, connected

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def rules(no_rules: None, no_linger: None) -> None:
    """All users may watch all lists but the first; the rule of the second raises."""

    def may_watch(user: User, key: int) -> bool:
        if key == 2:
            raise RuntimeError("on purpose")
        return key != 1

    allow("list")(may_watch)


@pytest_asyncio.fixture(autouse=True)
async def fresh_server() -> AsyncIterator[None]:
    yield
    await asyncio.wait_for(close_server(), PATIENCE)
    await sync_to_async(connections.close_all)()


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada")


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


class Grown:
    """The growth of metrics since this was made."""

    def __init__(self) -> None:
        self._before = self._read()

    def __call__(self, name: str, **labels: str) -> float:
        key = (name, tuple(sorted(labels.items())))
        return self._read().get(key, 0.0) - self._before.get(key, 0.0)

    @staticmethod
    def _read() -> dict[Any, float]:
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in REGISTRY.collect()
            for sample in family.samples
        }


async def test_clients_and_their_messages_are_counted(ada: User) -> None:
    """Connections, topics, messages, frames."""
    grown = Grown()
    async with connected(ada) as client:
        await client.subscribe("list:5", "list:6")
        await sync_to_async(publish)([Message("list:5", {"todo.task": {"1": "updated"}})])
        await client.changed()

        assert value("realtime_connections", transport="websocket") == 1
        assert (value("realtime_topics"), value("realtime_subscriptions")) == (2, 2)
        assert value("realtime_hub_connected") == 1
        assert value("realtime_connections_held_back") == 0

    assert grown("realtime_connections_opened_total", transport="websocket") == 1
    assert grown("realtime_messages_received_total") == 1
    assert grown("realtime_fan_outs_total") == grown("realtime_messages_delivered_total") == 1
    assert grown("realtime_frames_sent_total") == 3
    assert grown("realtime_characters_sent_total") > 100
    assert grown("realtime_rules_total", answer="yes") == 2
    await until(lambda: value("realtime_connections", transport="websocket") == 0)


async def test_refusals_of_rules_are_counted(ada: User) -> None:
    """A rule that fails is counted apart."""
    grown = Grown()
    async with connected(ada) as client:
        wanted = [{"topic": f"list:{key}"} for key in (1, 2, 3)]
        await client.send({"type": "subscribe", "subscriptions": wanted})
        await client.receive("subscribed")
        await client.receive("denied")

    answers = [grown("realtime_rules_total", answer=each) for each in ("yes", "no", "failed")]
    assert answers == [1, 1, 1]
    assert grown("realtime_denied_total") == 2


async def test_rules_that_are_late_are_counted(ada: User) -> None:
    """They count as failed, too."""

    @allow("slow")
    async def may_watch(user: User, key: int) -> bool:
        await asyncio.sleep(60)
        return True

    grown = Grown()
    async with connected(ada) as client:
        with override_settings(REALTIME={"RULE_TIMEOUT": 0.01}):
            await client.send({"type": "subscribe", "subscriptions": [{"topic": "slow:1"}]})
            await client.receive("denied")

    assert grown("realtime_rules_late_total") == 1
    assert grown("realtime_rules_total", answer="failed") == 1


async def test_resets_are_counted_by_reason(ada: User) -> None:
    """The reason that clients receive."""
    grown = Grown()
    async with connected(ada) as client:
        await client.subscribe("list:5", "list:6")
        await sync_to_async(publish)([Message("list:", reset=Reset.BULK)])
        await client.changed()

    assert grown("realtime_resets_total", reason="bulk") == 2


async def test_refused_connections_are_counted(ada: User) -> None:
    """By their close code."""
    grown = Grown()
    server_of()
    async with connected(None, welcome=False) as client:
        assert await client.closed() == 4401
    with draining():
        async with connected(ada, welcome=False) as client:
            assert await client.closed() == 4503
        assert value("realtime_draining") == 1

    for code in ("4401", "4503"):
        assert grown("realtime_connections_refused_total", code=code) == 1
        assert grown("realtime_connections_closed_total", code=code) == 1
    assert value("realtime_draining") == 0


@pytest.mark.parametrize(
    ("setting", "frame", "code"),
    [
        ({"MAX_FRAME_BYTES": 10}, "x" * 11, 4413),
        ({"MAX_FRAMES_A_SECOND": 0.1}, '{"type": "ping"}', 4429),
        ({"MAX_TOPIC_LENGTH": 3}, '{"type":"subscribe","subscriptions":[{"topic":"a:12"}]}', 4429),
        ({}, "[]", 4400),
    ],
    ids=["large", "often", "long", "no object"],
)
async def test_every_limit_that_closes_is_counted(
    setting: dict[str, Any], frame: str, code: int, ada: User
) -> None:
    """By close code."""
    grown = Grown()
    with override_settings(REALTIME=setting):
        async with connected(ada) as client:
            await client.send(frame)
            while (await client.communicator.receive_output(PATIENCE))["type"] == "websocket.send":
                pass

            assert grown("realtime_connections_closed_total", code=str(code)) == 1


@contextmanager
def draining() -> Iterator[None]:
    server_of().connections.draining = True
    yield
    server_of().connections.draining = False


def test_a_project_can_mount_a_view() -> None:
    """It returns all metrics of the registry in Prometheus' own format."""
    response = realtime.ops.prometheus.view(RequestFactory().get("/metrics/"))

    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain; version=")
    families = {each.name for each in text_string_to_metric_families(response.content.decode())}
    assert {"realtime_connections", "realtime_relay_sent", "python_info"} <= families


WITHOUT = """
import sys
sys.modules["prometheus_client"] = None
import django
django.setup()
from realtime.publish import publish
print("realtime.ops.prometheus" in sys.modules, "prometheus_client.core" in sys.modules)
"""
SWITCHED_OFF = """
from django.conf import settings
settings.REALTIME = {"METRICS": False}
import django
django.setup()
from prometheus_client import REGISTRY
print(any(each.name.startswith("realtime_") for each in REGISTRY.collect()))
"""


@pytest.mark.parametrize(
    ("code", "printed"),
    [(WITHOUT, "False False\n"), (SWITCHED_OFF, "False\n")],
    ids=["not installed", "switched off"],
)
def test_without_prometheus_all_else_works(code: str, printed: str) -> None:
    """Whether prometheus-client is missing, or METRICS is False."""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )

    assert (run.returncode, run.stdout) == (0, printed), run.stderr


def test_metrics_are_registered_once() -> None:
    """The registry refuses a duplicate name; apps may get ready more than once."""
    realtime.ops.prometheus.register()
    realtime.ops.prometheus.register()
