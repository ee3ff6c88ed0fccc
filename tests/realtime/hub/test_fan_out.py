"""Fan-out: one message to every mailbox that it concerns."""

from __future__ import annotations

from realtime.backends.memory import MemoryPubSub
from realtime.hub.hub import Hub
from realtime.hub.mailbox import Mailbox
from realtime.messages.message import Message, Reset
from realtime.messages.topics import Topic
from tests.realtime.fakes import FakePubSub
from tests.realtime.hub.listening import FAMILY, LIST, OTHER, mailbox, row, running, send, taken


async def test_a_message_reaches_every_mailbox_of_its_topic(hub: Hub, pubsub: MemoryPubSub) -> None:
    """Mailboxes of other topics receive nothing."""
    one, two, other = mailbox(), mailbox(), mailbox()
    await hub.subscribe(one, LIST)
    await hub.subscribe(two, LIST)
    await hub.subscribe(other, OTHER)

    send(pubsub, row(LIST, 1), row(OTHER, 2))

    assert [message.topic for message in await taken(one)] == [LIST]
    assert [message.topic for message in await taken(two)] == [LIST]
    assert [message.topic for message in await taken(other)] == [OTHER]


async def test_a_family_reaches_each_subscriber_under_its_own_topic(
    hub: Hub, pubsub: MemoryPubSub
) -> None:
    """A client knows the topics it subscribed to, and no others."""
    one, both = mailbox(), mailbox()
    await hub.subscribe(one, LIST)
    await hub.subscribe(both, LIST)
    await hub.subscribe(both, OTHER)

    send(pubsub, Message(FAMILY, reset=Reset.BULK))

    assert [(message.topic, message.reset) for message in await taken(one)] == [(LIST, "bulk")]
    assert {message.topic for message in await taken(both)} == {LIST, OTHER}


async def test_families_of_objects_reach_one_models_rows(hub: Hub, pubsub: MemoryPubSub) -> None:
    """`object:shop.order/` stands for its rows, and for no other model's."""
    box = mailbox()
    await hub.subscribe(box, Topic("object:shop.order/7"))
    await hub.subscribe(box, Topic("object:shop.line/7"))

    send(pubsub, Message("object:shop.order/", reset=Reset.BULK))

    assert [message.topic for message in await taken(box)] == ["object:shop.order/7"]


async def test_extra_ends_at_the_hub(hub: Hub, pubsub: MemoryPubSub) -> None:
    """No mailbox, and so no client, ever holds it."""
    box = mailbox()
    await hub.subscribe(box, LIST)

    send(pubsub, Message(LIST, reset="bulk", extra={"secret": 1}))

    assert [message.extra for message in await taken(box)] == [None]


class Full(Mailbox):
    """A mailbox that does not take a message, once."""

    fails = False

    def put(self, message: Message) -> None:
        if self.fails:
            self.fails = False
            raise RuntimeError("full")
        super().put(message)


async def test_a_message_that_cannot_be_fanned_out_ends_in_a_reset() -> None:
    """After any error between the backend and a mailbox no client is left stale."""
    pubsub = FakePubSub()
    async with running(pubsub) as hub:
        good, bad = mailbox(), Full(10)
        await hub.subscribe(bad, LIST)
        await hub.subscribe(good, LIST)
        bad.fails = True
        pubsub.current.say(row(LIST, 1))

        assert (await taken(bad))[0].reset == Reset.BACKEND_RESTART
        while (await taken(good))[0].reset != Reset.BACKEND_RESTART:
            pass
