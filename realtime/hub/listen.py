"""Receiving the messages of some topics in a worker, one after another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import replace

from realtime.conf import conf
from realtime.exceptions import InvalidTopic
from realtime.hub.hub import Hub
from realtime.hub.mailbox import Mailbox
from realtime.messages.cursors import Cursor
from realtime.messages.message import Message
from realtime.messages.topics import Topic


async def listen_at(
    hub: Hub, topics: Iterable[str], since: Cursor | str | None = None
) -> AsyncIterator[Message]:
    """Yield the messages that a hub receives: see `realtime.server.listen`."""
    wanted = [_topic(text) for text in dict.fromkeys(topics)]
    cursor = Cursor.parse(since) if isinstance(since, str) else since
    mailbox = Mailbox(conf.MAX_WAITING_ROWS)
    for topic in wanted:
        mailbox.hold(topic)
    try:
        for topic in wanted:
            await hub.subscribe(mailbox, topic)
            for message in await hub.replay(topic, cursor) if cursor else ():
                mailbox.put(message)
            mailbox.release(topic)
        while True:
            messages = await mailbox.take()
            # Now, before any await: these messages hold everything before the hub's head. The first
            # of them alone does not.
            for message in _up_to(messages, hub.head(wanted)):
                yield message
    finally:
        await hub.unsubscribe(mailbox, *wanted)


def _up_to(messages: Sequence[Message], head: Cursor | None) -> Iterator[Message]:
    """Yield the messages; the last gets the position behind all of them."""
    for message in messages[:-1]:
        if message.changes or message.reset:
            yield replace(message, cursor=None)
    yield replace(messages[-1], cursor=head)


def _topic(text: str) -> Topic:
    topic = Topic(text)
    if topic.is_family:
        raise InvalidTopic(
            f"expected a topic with a key to listen to, like {topic}5, got {text!r}:"
            " a listener to a topic receives its family's resets too"
        )
    return topic
