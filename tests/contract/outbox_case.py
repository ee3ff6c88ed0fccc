"""What the contract's tests of backends outside the database share."""

from __future__ import annotations

from asgiref.sync import sync_to_async

from realtime.backends.outbox import flush_relay, stop_relay
from realtime.messages.message import Message
from realtime.models import OutboxRecord
from realtime.testing import PubSubContract


class OutboxContract(PubSubContract):
    """The contract through an outbox that is empty, and a relay that ends with each test."""

    def setUp(self) -> None:
        OutboxRecord.objects.all().delete()

    def tearDown(self) -> None:
        stop_relay()

    async def send(self, *messages: Message) -> None:
        """Send, and wait until the backend has the messages: the relay takes them there later."""
        await super().send(*messages)
        self.assertTrue(await sync_to_async(flush_relay)(self.patience))
