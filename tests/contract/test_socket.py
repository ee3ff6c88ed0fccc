"""A backend outside the database keeps the contract through the outbox."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async
from django.test import TransactionTestCase

from realtime.messages import Message
from realtime.models import OutboxRecord
from realtime.outbox import flush_relay, stop_relay
from realtime.testing import PubSubContract
from tests.contract.socket_backend import SocketPubSub, SocketServer


# The outbox on PostgreSQL has tests of its own.
@pytest.mark.sqlite
class TestSocketPubSub(PubSubContract, TransactionTestCase):
    """The contract, through a server process."""

    many = 2_000

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.server = cls.enterClassContext(SocketServer(folder))

    def setUp(self) -> None:
        OutboxRecord.objects.all().delete()
        self.server.kill()
        self.server.start()

    def tearDown(self) -> None:
        stop_relay()

    def make_pubsub(self) -> SocketPubSub:
        return SocketPubSub(self.server.path)

    async def send(self, *messages: Message) -> None:
        """Send, and wait until the backend has the messages: the relay takes them there later."""
        await super().send(*messages)
        self.assertTrue(await sync_to_async(flush_relay)(self.patience))
