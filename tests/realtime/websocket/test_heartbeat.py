"""Staying alive: the welcome that names the heartbeat, and the pings of both sides."""

from __future__ import annotations

import asyncio
import json

import pytest
from django.contrib.auth.models import User
from django.test import override_settings

from realtime.protocol import CloseCode
from tests.realtime.live_client import PATIENCE, LiveClient, connected

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_socket_is_welcomed(ada: User) -> None:
    """The first frame names the protocol."""
    async with connected(ada, welcome=False) as client:
        frame = await client.receive("welcome")

    assert frame == {
        "type": "welcome",
        "protocol": 1,
        "connection": frame["connection"],
        "heartbeat": 25,
    }


async def test_every_socket_has_an_id_of_its_own(ada: User) -> None:
    """Two tabs of one user are two connections."""
    async with connected(ada, welcome=False) as one, connected(ada, welcome=False) as two:
        frames = [await client.receive("welcome") for client in (one, two)]

    assert frames[0]["connection"] != frames[1]["connection"]


async def test_a_ping_is_answered(client: LiveClient) -> None:
    """A client asks whether the server is alive."""
    await client.send({"type": "ping"})

    assert await client.receive() == {"type": "pong"}


@override_settings(REALTIME={"HEARTBEAT": 0.02})
async def test_the_server_pings_at_its_heartbeat(ada: User) -> None:
    """Each with the next number; the client's answer is not answered."""
    async with connected(ada, welcome=False) as client:
        assert (await client.receive("welcome"))["heartbeat"] == 0.02

        for number in (1, 2, 3):
            assert await client.receive() == {"type": "ping", "seq": number}
            await client.send({"type": "pong", "seq": number})


@override_settings(REALTIME={"HEARTBEAT": 0.02, "SILENCE": 0.1})
async def test_a_silent_clients_connection_is_closed(ada: User) -> None:
    """It may be gone, behind a dead network."""
    async with connected(ada) as client:
        while (output := await client.communicator.receive_output(PATIENCE))["type"] != (
            "websocket.close"
        ):
            assert json.loads(output["text"])["type"] == "ping"

        assert output["code"] == CloseCode.SILENT


@override_settings(REALTIME={"HEARTBEAT": 0.02, "SILENCE": 2})
async def test_a_client_that_answers_stays(ada: User) -> None:
    """Any frame is a sign of life."""
    clock = asyncio.get_running_loop().time
    async with connected(ada) as client:
        until = clock() + 2.5
        while clock() < until:
            frame = await client.receive("ping")
            await client.send({"type": "pong", "seq": frame["seq"]})
