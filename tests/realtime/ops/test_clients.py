"""The connections that a process reports."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest
from django.contrib.auth.models import User

from realtime.connections.connection import Connection
from realtime.ops.clients import client_here, clients_here
from realtime.server import Server
from tests.realtime.hub.listening import LIST, OTHER, row, within
from tests.realtime.transports import FakeTransport, connection_of


class Slow(FakeTransport):
    """A transport that is held back."""

    def facts(self) -> dict[str, object]:
        return {"pong": 3.0, "sent": 9, "frames": 2, "held_back": True}


@pytest.fixture
async def ada(server: Server) -> AsyncIterator[Connection]:
    """Ada's connection, beside an anonymous one."""
    connections = server.connections
    ada = connection_of(User(pk=7), server.hub, Slow(), session="the mark of a session")
    nobody = connection_of(None, server.hub)
    for each in (nobody, ada):
        connections.add(each)
    yield ada
    for each in (nobody, ada):
        connections.remove(each)
        await within(each.let_go())


async def test_connections_with_the_most_waiting_rows_come_first(
    server: Server, ada: Connection
) -> None:
    """With their waiting messages, and whether they are held back."""
    ada.mailbox.put(row(LIST, 1))
    ada.mailbox.put(row(LIST, 2))

    found = clients_here(server, limit=1)

    assert found.total == 2
    (client,) = found.connections
    assert (client.id, client.user, client.transport) == (ada.id, "7", "fake")
    assert (client.waiting_topics, client.waiting_rows, client.waiting_frames) == (1, 2, 2)
    assert (client.held_back, client.pong) == (True, 3.0)


async def test_connections_of_one_user_are_found(server: Server, ada: Connection) -> None:
    """By primary key."""
    assert [each.id for each in clients_here(server, user="7").connections] == [ada.id]
    assert clients_here(server, user="8").total == 0


async def test_a_connection_reports_the_cursor_of_each_topic(
    server: Server, ada: Connection
) -> None:
    """Topics that are held, or have waiting rows, come first."""
    ada.subscriptions.cursors.update({LIST: "here.1", OTHER: "here.2"})
    ada.subscriptions.grant(OTHER)
    ada.mailbox.put(row(OTHER, 1))

    found = client_here(server, ada.id)

    first, second = found.watches
    assert (first.topic, first.cursor, first.waiting_rows, first.held) == (OTHER, "here.2", 1, True)
    assert first.pending
    assert (second.topic, second.waiting_rows, second.held) == (LIST, None, False)


async def test_a_topic_whose_rule_is_asked_again_is_in_doubt(
    server: Server, ada: Connection, no_rules: None
) -> None:
    """Until the rule has answered."""
    ada.subscriptions.cursors[LIST] = None

    ada.authorization.doubt([LIST])

    (watch,) = client_here(server, ada.id).watches
    assert (watch.in_doubt, watch.held, watch.pending) == (True, True, False)


async def test_a_limit_leaves_topics_off(server: Server, ada: Connection) -> None:
    """An answer is sent as a message of the backend."""
    ada.subscriptions.cursors.update({LIST: None, OTHER: None})

    found = client_here(server, ada.id, limit=1)

    assert found.connection is not None
    assert (len(found.watches), found.connection.topics) == (1, 2)


async def test_a_connection_that_is_elsewhere_is_not_here(server: Server, ada: Connection) -> None:
    """Another process has it."""
    found = client_here(server, "of another")

    assert (found.connection, found.watches) == (None, [])


async def test_answers_contain_no_secrets_of_a_session(server: Server, ada: Connection) -> None:
    """In all kinds of answers."""
    told = msgspec.json.encode([clients_here(server), client_here(server, ada.id)])

    assert b"the mark" not in told
