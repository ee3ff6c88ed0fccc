"""A message arrives with all that it held when it was sent."""

from __future__ import annotations

from realtime.messages.message import Changes, Message
from realtime.messages.topics import Topic
from realtime.testing.backend_case import BackendCase
from realtime.testing.contract.topics import LIST, row


class Holding(BackendCase):
    """A message arrives with all that it held when it was sent."""

    async def test_a_message_arrives_as_it_was_sent(self) -> None:
        """Every field is transferred, and arrives equal."""
        topic = Topic.of("seat", 12, "b/4 ü")
        changes: Changes = {
            "shop.order": {"17": "entered", "18": "updated", '[1,"a b"]': "left"},
            "shop.line": {"ü/%🙂": "left", "": "updated"},
        }
        extra = {"fingerprint": "abc", "images": [{"pk": 1, "price": 2.5, "gone": None}, True]}
        sent = [
            Message(topic, changes, extra=extra),
            Message(topic, reset="some reason"),
            Message(topic),
        ]
        async with self.upstream(topic) as upstream:
            await self.send(*sent)

            received = await self.receive(upstream, 3)
            self.assertEqual(received, sent)
            self.assertEqual({type(message.topic) for message in received}, {Topic})

    async def test_sending_no_messages_is_harmless(self) -> None:
        """An empty list of messages sends nothing."""
        async with self.upstream(LIST) as upstream:
            await self.send()
            await self.send(row(LIST, 1))

            self.assertEqual(await self.receive(upstream, 1), [row(LIST, 1)])
