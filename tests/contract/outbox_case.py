"""Common parts of the contract's tests of backends outside the database."""

from __future__ import annotations

from asgiref.sync import sync_to_async

from realtime.backends.outbox import flush_relay, stop_relay
from realtime.messages.message import Message
from realtime.models import OutboxRecord
from realtime.testing import PubSubContract


class OutboxContract(PubSubContract):
    """The contract through an empty outbox, and a relay that ends with each test."""

    def setUp(self) -> None:
        OutboxRecord.objects.all().delete()

    def tearDown(self) -> None:
        stop_relay()

    async def send(self, *messages: Message) -> None:
        """Send, and wait until the backend has the messages: the relay sends them later."""
        await super().send(*messages)
        self.assertTrue(await sync_to_async(flush_relay)(self.patience))
