"""Watching and receiving: no message is lost, the order is kept, and no other topic arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from asgiref.sync import sync_to_async

from realtime.backends.base import Upstream
from realtime.messages.cursors import Cursor
from realtime.messages.message import Message
from realtime.messages.topics import Topic
from realtime.testing.backend_case import BackendCase, without_cursor
from realtime.testing.contract.topics import ALIKE, FAMILY, LIST, OTHER, SENTINEL, row, turns


class Watching(BackendCase):
    """Watching and receiving: no message is lost, the order is kept, and no other topic arrives."""

    many: int = 5_000
    """The number of messages that the test of many messages sends."""

    async def test_messages_sent_after_watch_returned_are_received(self) -> None:
        """`watch()` returns when the backend has confirmed, and not before."""
        async with self.upstream() as upstream:
            await upstream.watch([LIST])

            await self.send(row(LIST, 17))

            self.assertEqual(await self.receive(upstream, 1), [row(LIST, 17)])

    async def test_every_message_has_a_cursor(self) -> None:
        """A cursor is text that can be sent to a client and parsed again."""
        async with self.upstream() as upstream:
            head = await upstream.watch([LIST])

            await self.send(row(LIST, 1), row(LIST, 2))
            await self.send(row(LIST, 3))

            messages = await self.receive_raw(upstream, 3)
            for cursor in (head, *(message.cursor for message in messages)):
                self.assertIsInstance(cursor, Cursor)
                self.assertEqual(Cursor.parse(str(cursor)), cursor)

    async def test_messages_of_a_topic_keep_their_order(self) -> None:
        """If a commit returned before another transaction began, its message arrives first."""
        sent = [row(LIST, number) for number in range(50)]
        async with self.upstream(LIST) as upstream:
            for message in sent:
                await self.send(message)

            self.assertEqual(await self.receive(upstream, 50), sent)

    async def test_many_messages_all_arrive_in_order(self) -> None:
        """No message of a burst is lost."""
        sent = [row(LIST, number) for number in range(self.many)]
        async with self.upstream(LIST) as upstream:
            sender = self.make_pubsub()

            def burst() -> None:
                for start in range(0, self.many, 100):
                    self.send_now(sender, sent[start : start + 100])

            sending = asyncio.create_task(sync_to_async(burst)())
            received = await self.receive(upstream, self.many)
            await sending

            # Not assertEqual: printing the difference would take minutes.
            self.assertTrue(received == sent, "messages came in another order, or others came")

    async def test_other_topics_are_not_received(self) -> None:
        """An upstream receives messages of its watched topics only."""
        async with self.upstream(LIST, SENTINEL) as upstream:
            await self.send(row(OTHER, 1), row(ALIKE, 2))
            await self.send(row(SENTINEL, 3))

            self.assertEqual(await self.receive(upstream, 1), [row(SENTINEL, 3)])

    async def test_a_family_is_watched_like_a_topic(self) -> None:
        """To a backend `list:` is a topic like `list:5`: watching one does not watch the other."""
        async with self.upstream(FAMILY) as family, self.upstream(LIST) as single:
            await self.send(Message(FAMILY, reset="bulk"), row(LIST, 1))
            await self.send(row(FAMILY, 2), row(LIST, 2))

            received = await self.receive(family, 2)
            self.assertEqual(received, [Message(FAMILY, reset="bulk"), row(FAMILY, 2)])
            self.assertEqual(await self.receive(single, 2), [row(LIST, 1), row(LIST, 2)])

    async def test_messages_of_an_unwatched_topic_are_not_received(self) -> None:
        """After `unwatch()`, messages of that topic no longer arrive; those of others still do."""
        async with self.upstream(LIST, SENTINEL) as upstream:
            await self.send(row(LIST, 1))
            await self.receive(upstream, 1)

            await upstream.unwatch([LIST])
            await self.send(row(LIST, 2))
            await self.send(row(SENTINEL, 3))

            self.assertEqual(await self.receive(upstream, 1), [row(SENTINEL, 3)])

    async def test_unwatching_an_unknown_topic_does_nothing(self) -> None:
        """An unknown topic is not an error."""
        async with self.upstream(LIST) as upstream:
            await upstream.unwatch([OTHER])
            await self.send(row(LIST, 1))

            self.assertEqual(await self.receive(upstream, 1), [row(LIST, 1)])

    async def test_a_topic_can_be_watched_again(self) -> None:
        """`watch()` after `unwatch()` confirms again."""
        async with self.upstream(LIST) as upstream:
            await upstream.unwatch([LIST])

            await upstream.watch([LIST])
            await self.send(row(LIST, 1))

            self.assertEqual(await self.receive(upstream, 1), [row(LIST, 1)])

    async def test_every_watching_upstream_receives_a_message(self) -> None:
        """All upstreams that watch receive a message, through whichever instance they connect."""
        async with self.upstream(LIST) as one, self.upstream(LIST) as two:
            await self.send(row(LIST, 1))

            self.assertEqual(await self.receive(one, 1), [row(LIST, 1)])
            self.assertEqual(await self.receive(two, 1), [row(LIST, 1)])

    async def test_one_upstream_may_leave_while_others_stay(self) -> None:
        """Closing an upstream does not affect others."""
        async with self.upstream(LIST) as staying:
            async with self.upstream(LIST):
                pass

            await self.send(row(LIST, 1))

            self.assertEqual(await self.receive(staying, 1), [row(LIST, 1)])

    async def test_topics_can_be_watched_concurrently(self) -> None:
        """Each call of `watch()` returns once its own topics are confirmed."""
        topics = [Topic.of("list", number) for number in range(40)]
        async with self.upstream() as upstream:
            await asyncio.gather(*(upstream.watch([topic]) for topic in topics))

            await self.send(*(row(topic, 1) for topic in topics))

            received = await self.receive(upstream, len(topics))
            self.assertEqual({message.topic for message in received}, set(topics))

    async def test_no_message_is_lost_while_an_upstream_begins_to_watch(self) -> None:
        """A message that is sent while `watch()` runs is received, or was sent before its cursor.

        A thread sends to one topic after another, without a pause, while a new upstream begins to
        watch all of them. For each topic without a message it must be proven that none was sent
        after the cursor that `watch()` returned.
        """
        await self.send(row(SENTINEL, 0))
        for number in range(self.rounds):
            topics = [Topic.of("race", number, place) for place in range(12)]
            async with self.upstream() as upstream:
                async with self.sender() as send_soon:
                    for topic in topics:
                        send_soon(row(topic, 1))
                    await turns(number)
                    cursor = await upstream.watch(topics)
                await self._assert_nothing_lost(upstream, dict.fromkeys(topics, cursor))

    async def test_no_message_is_lost_while_a_busy_upstream_watches_more_topics(self) -> None:
        """The same holds for topics added one by one, each at the moment of its message."""
        await self.send(row(SENTINEL, 0))
        topics = [Topic.of("race", place) for place in range(10 * self.rounds)]
        cursors = {}
        async with self.upstream(SENTINEL) as upstream:
            async with self.sender() as send_soon:
                for place, topic in enumerate(topics):
                    send_soon(row(topic, 1))
                    await turns(place % self.rounds)
                    cursors[topic] = await upstream.watch([topic])
            await self._assert_nothing_lost(upstream, cursors)

    async def _assert_nothing_lost(self, upstream: Upstream, cursors: dict[Topic, Cursor]) -> None:
        async with self.upstream(SENTINEL) as witness:
            due = [
                topic
                for topic, at in cursors.items()
                if await self._may_have_missed(witness, topic, at)
            ]
        received = await self._rows_of(upstream, cursors)
        lost = {str(topic): str(cursors[topic]) for topic in due if received[topic][0] != "1"}
        self.assertEqual(lost, {}, "sent after these cursors, and not received")

    async def _may_have_missed(self, witness: Upstream, topic: Topic, since: Cursor) -> bool:
        """Return True if a message was sent after a cursor, as far as the backend can replay."""
        replayed = await self.replayed(witness, [topic], since)
        return bool(replayed) or (replayed is None and self.make_pubsub().supports_replay)

    async def _rows_of(self, upstream: Upstream, topics: Iterable[Topic]) -> dict[Topic, list[str]]:
        """Return the rows that `upstream` receives of each topic, up to those that are sent now."""
        await self.send(*(row(topic, 2) for topic in topics))
        received: dict[Topic, list[str]] = {topic: [] for topic in topics}
        async with asyncio.timeout(self.patience):
            while not all("2" in each for each in received.values()):
                for message in await upstream.receive():
                    # A reset counts as every row.
                    rows = ["1"] if message.reset else message.changes["shop.order"]
                    received[message.topic] += rows
        return received

    async def test_a_cancelled_receive_loses_nothing(self) -> None:
        """Messages that a cancelled `receive()` did not return come with the next call."""
        sent = [row(LIST, number) for number in range(30)]
        received: list[Message] = []

        async def receive() -> None:
            received.extend(map(without_cursor, await upstream.receive()))

        async with self.upstream(LIST) as upstream:
            for message in sent:
                waiting = asyncio.create_task(receive())
                sending = asyncio.create_task(self.send(message))
                await asyncio.wait([waiting, sending], return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
                await asyncio.gather(waiting, sending, return_exceptions=True)

            if len(received) < len(sent):
                received += await self.receive(upstream, len(sent) - len(received))

            self.assertEqual(received, sent)
