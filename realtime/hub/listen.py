"""Listening in a worker: the messages of some topics, one after another."""

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
    """Give the messages that a hub receives: see `realtime.server.listen`."""
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
            # At this very moment: all that came before the hub's head is in these messages, and not
            # in the first of them alone.
            for message in _up_to(messages, hub.head(wanted)):
                yield message
    finally:
        await hub.unsubscribe(mailbox, *wanted)


def _up_to(messages: Sequence[Message], head: Cursor | None) -> Iterator[Message]:
    """Give what messages have to say, the last of them with the position behind them all."""
    for message in messages[:-1]:
        if message.changes or message.reset:
            yield replace(message, cursor=None)
    yield replace(messages[-1], cursor=head)


def _topic(text: str) -> Topic:
    topic = Topic(text)
    if topic.is_family:
        raise InvalidTopic(
            f"expected a topic with a key to listen to, like {topic}5, got {text!r}:"
            " whoever listens to a topic hears its family's resets too"
        )
    return topic
