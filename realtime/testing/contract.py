"""The contract of a pubsub backend, as tests: what `realtime.backends.base` says in prose.

Whoever writes a backend proves it by these:

    from django.test import TransactionTestCase
    from realtime.testing import PubSubContract

    class TestMyPubSub(PubSubContract, TransactionTestCase):
        def make_pubsub(self) -> PubSub:
            return MyPubSub(url="…")

It needs no test runner but Django's, and runs under pytest as well. A `TransactionTestCase`,
since messages go out when a transaction commits, and in a `TestCase` none ever does.

No test sleeps. What must come is awaited until a deadline, and what must not come is proven by a
sentinel: a later message, where possible of the same topic, that has arrived while the other has
not. A message that comes twice is let pass, as the contract does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from asgiref.sync import sync_to_async

from realtime.backends.base import Upstream
from realtime.cursors import Cursor
from realtime.messages import Changes, Message
from realtime.testing.backend_case import BackendCase, without_cursor
from realtime.topics import Topic

LIST, OTHER, ALIKE, FAMILY = Topic("list:5"), Topic("list:6"), Topic("list:55"), Topic("list:")
SENTINEL = Topic("sentinel:1")


def row(topic: Topic, pk: int) -> Message:
    """Make a message of one row."""
    return Message(topic, {"shop.order": {str(pk): "updated"}})


async def turns(number: int) -> None:
    """Let others run that often: so one side of a race begins a little later each time."""
    for _ in range(number):
        await asyncio.sleep(0)


class PubSubContract(BackendCase):
    """Tests that every backend passes. Mix it into a TransactionTestCase, with `make_pubsub()`.

    Sender and receiver are always separate instances, as they are in separate processes.
    """

    many: int = 5_000
    """How many messages the test of many messages sends."""

    rounds: int = 40
    """How often the race between watching and sending is run."""

    # -- watching and receiving --------------------------------------------------------------

    async def test_what_is_sent_after_watch_returned_is_received(self) -> None:
        """`watch()` returns when the backend has confirmed, and not before."""
        async with self.upstream() as upstream:
            await upstream.watch([LIST])

            await self.send(row(LIST, 17))

            self.assertEqual(await self.receive(upstream, 1), [row(LIST, 17)])

    async def test_every_message_has_a_cursor(self) -> None:
        """A cursor is text that can be sent to a client and read again."""
        async with self.upstream() as upstream:
            head = await upstream.watch([LIST])

            await self.send(row(LIST, 1), row(LIST, 2))
            await self.send(row(LIST, 3))

            messages = await self.receive_raw(upstream, 3)
            for cursor in (head, *(message.cursor for message in messages)):
                self.assertIsInstance(cursor, Cursor)
                self.assertEqual(Cursor.parse(str(cursor)), cursor)

    async def test_messages_of_a_topic_keep_their_order(self) -> None:
        """A transaction whose commit returned before another began is told first."""
        sent = [row(LIST, number) for number in range(50)]
        async with self.upstream(LIST) as upstream:
            for message in sent:
                await self.send(message)

            self.assertEqual(await self.receive(upstream, 50), sent)

    async def test_many_messages_all_arrive_in_order(self) -> None:
        """A burst is no reason to lose anything."""
        sent = [row(LIST, number) for number in range(self.many)]
        async with self.upstream(LIST) as upstream:
            sender = self.make_pubsub()

            def burst() -> None:
                for start in range(0, self.many, 100):
                    self.send_now(sender, sent[start : start + 100])

            sending = asyncio.create_task(sync_to_async(burst)())
            received = await self.receive(upstream, self.many)
            await sending

            # Not assertEqual: that would take minutes to print what differs.
            self.assertTrue(received == sent, "messages came in another order, or others came")

    async def test_other_topics_are_not_received(self) -> None:
        """An upstream hears of the topics that it watches, and of nothing else."""
        async with self.upstream(LIST, SENTINEL) as upstream:
            await self.send(row(OTHER, 1), row(ALIKE, 2))
            await self.send(row(SENTINEL, 3))

            self.assertEqual(await self.receive(upstream, 1), [row(SENTINEL, 3)])

    async def test_a_family_is_watched_like_a_topic(self) -> None:
        """`list:` is a topic to a backend: neither does it hear `list:5`, nor that one it."""
        async with self.upstream(FAMILY) as family, self.upstream(LIST) as single:
            await self.send(Message(FAMILY, reset="bulk"), row(LIST, 1))
            await self.send(row(FAMILY, 2), row(LIST, 2))

            heard = await self.receive(family, 2)
            self.assertEqual(heard, [Message(FAMILY, reset="bulk"), row(FAMILY, 2)])
            self.assertEqual(await self.receive(single, 2), [row(LIST, 1), row(LIST, 2)])

    async def test_what_is_unwatched_is_received_no_more(self) -> None:
        """After `unwatch()`, what is sent to that topic stays away; the others still come."""
        async with self.upstream(LIST, SENTINEL) as upstream:
            await self.send(row(LIST, 1))
            await self.receive(upstream, 1)

            await upstream.unwatch([LIST])
            await self.send(row(LIST, 2))
            await self.send(row(SENTINEL, 3))

            self.assertEqual(await self.receive(upstream, 1), [row(SENTINEL, 3)])

    async def test_unwatching_what_is_not_watched_does_nothing(self) -> None:
        """An unknown topic is no error."""
        async with self.upstream(LIST) as upstream:
            await upstream.unwatch([OTHER])
            await self.send(row(LIST, 1))

            self.assertEqual(await self.receive(upstream, 1), [row(LIST, 1)])

    async def test_a_topic_can_be_watched_again(self) -> None:
        """`watch()` after `unwatch()` confirms anew."""
        async with self.upstream(LIST) as upstream:
            await upstream.unwatch([LIST])

            await upstream.watch([LIST])
            await self.send(row(LIST, 1))

            self.assertEqual(await self.receive(upstream, 1), [row(LIST, 1)])

    async def test_every_upstream_hears(self) -> None:
        """A message goes to all who watch, whichever instance they listen through."""
        async with self.upstream(LIST) as one, self.upstream(LIST) as two:
            await self.send(row(LIST, 1))

            self.assertEqual(await self.receive(one, 1), [row(LIST, 1)])
            self.assertEqual(await self.receive(two, 1), [row(LIST, 1)])

    async def test_one_upstream_may_leave_while_others_stay(self) -> None:
        """Closing an upstream concerns nobody else."""
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

    async def test_nothing_is_lost_while_an_upstream_begins_to_watch(self) -> None:
        """What is sent while `watch()` runs is received, or was sent before its cursor.

        A thread sends to one topic after another, without a pause, while a new upstream begins to
        watch them all. For each that is not heard, `missed()` must prove that nothing was sent
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

    async def test_nothing_is_lost_while_a_busy_upstream_watches_more(self) -> None:
        """The same for topics that are added one by one, each in the moment that it is sent to."""
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
        due = [topic for topic, at in cursors.items() if await upstream.missed([topic], at)]
        heard = await self._heard(upstream, cursors)
        lost = {str(topic): str(cursors[topic]) for topic in due if heard[topic][0] != "1"}
        self.assertEqual(lost, {}, "sent after these cursors, and not received")

    async def _heard(self, upstream: Upstream, topics: Iterable[Topic]) -> dict[Topic, list[str]]:
        """Return the rows that `upstream` hears of each topic up to one that is sent now."""
        await self.send(*(row(topic, 2) for topic in topics))
        heard: dict[Topic, list[str]] = {topic: [] for topic in topics}
        async with asyncio.timeout(self.patience):
            while not all("2" in rows for rows in heard.values()):
                for message in await upstream.receive():
                    heard[message.topic] += message.changes["shop.order"]
        return heard

    async def test_a_cancelled_receive_loses_nothing(self) -> None:
        """Whoever stops waiting finds everything at the next call."""
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

    # -- what a message holds ----------------------------------------------------------------

    async def test_a_message_arrives_as_it_was_sent(self) -> None:
        """Every field makes the way, and comes back equal."""
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

    async def test_sending_nothing_is_harmless(self) -> None:
        """No messages are no message."""
        async with self.upstream(LIST) as upstream:
            await self.send()
            await self.send(row(LIST, 1))

            self.assertEqual(await self.receive(upstream, 1), [row(LIST, 1)])

    # -- transactions ------------------------------------------------------------------------

    async def test_messages_go_out_on_commit_and_not_before(self) -> None:
        """A client that reloaded before the commit would read what was there before."""
        await self.send(row(SENTINEL, 0))
        async with self.upstream(LIST) as upstream:
            since = await self.make_pubsub().aposition()
            receiving = asyncio.create_task(self.receive(upstream, 1))

            async with self.open_transaction(row(LIST, 1)):
                before_commit = await upstream.missed([LIST], since)
                self.assertFalse(receiving.done(), "received before the commit")

            self.assertIsNone(before_commit)
            self.assertEqual(await receiving, [row(LIST, 1)])
            self.assert_reason(await upstream.missed([LIST], since))

    async def test_a_message_whose_transaction_began_before_the_position_is_missed(self) -> None:
        """What counts is when it commits: whatever commits after `position()` is later."""
        await self.send(row(SENTINEL, 0))
        async with self.upstream(LIST) as upstream:
            async with self.open_transaction(row(LIST, 1)):
                since = await self.make_pubsub().aposition()

            await self.receive(upstream, 1)
            self.assert_reason(await upstream.missed([LIST], since))

    async def test_messages_of_a_transaction_that_rolls_back_are_never_sent(self) -> None:
        """A message exists if and only if its change does."""
        async with self.upstream(LIST) as upstream:
            sender = self.make_pubsub()

            await self.roll_back(lambda: sender.prepare([row(LIST, 1)], self.using))
            await self.send(row(LIST, 2))

            self.assertEqual(await self.receive(upstream, 1), [row(LIST, 2)])

    async def test_publish_sends_on_commit(self) -> None:
        """`realtime.publish()` does with this backend what it promises."""
        async with self.upstream(LIST) as upstream:
            await self.commit(lambda: self.publish(row(LIST, 1)))
            await self.roll_back(lambda: self.publish(row(LIST, 2)))
            await sync_to_async(self.publish)(row(LIST, 3))

            self.assertEqual(await self.receive(upstream, 2), [row(LIST, 1), row(LIST, 3)])

    # -- cursors -----------------------------------------------------------------------------

    async def _settled(self, upstream: Upstream) -> Cursor:
        """Watch, and return a position in a history that holds something.

        An empty one need not prove anything.
        """
        await self.send(row(SENTINEL, 0))
        await upstream.watch([LIST])
        return await self.make_pubsub().aposition()

    async def test_nothing_was_missed_where_nothing_was_sent(self) -> None:
        """A page that subscribes at once, with its position, need not be reloaded."""
        async with self.upstream() as upstream:
            since = await self._settled(upstream)

            self.assertIsNone(await upstream.missed([LIST, FAMILY], since))

    async def test_what_was_sent_since_was_missed(self) -> None:
        """Whatever commits after `position()` returned has a later position."""
        async with self.upstream() as upstream:
            since = await self._settled(upstream)

            await self.send(row(LIST, 1))

            self.assert_reason(await upstream.missed([LIST], since))
            self.assert_reason(await upstream.missed([LIST, FAMILY], since))

    async def test_what_was_sent_to_a_family_was_missed_too(self) -> None:
        """`missed()` looks at each of the topics it is given."""
        async with self.upstream() as upstream:
            since = await self._settled(upstream)

            await self.send(Message(FAMILY, reset="bulk"))

            self.assert_reason(await upstream.missed([LIST, FAMILY], since))

    async def test_what_was_sent_before_was_not_missed(self) -> None:
        """A position covers everything up to it."""
        async with self.upstream(LIST) as upstream:
            await self.send(row(LIST, 1))

            since = await self.make_pubsub().aposition()

            self.assertIsNone(await upstream.missed([LIST], since))

    async def test_messages_of_other_topics_do_not_count(self) -> None:
        """A busy neighbour is no reason to reload."""
        async with self.upstream() as upstream:
            since = await self._settled(upstream)

            await self.send(row(OTHER, 1), row(ALIKE, 1))

            self.assertIsNone(await upstream.missed([LIST, FAMILY], since))

    async def test_a_position_is_good_for_any_instance_and_any_later_topic(self) -> None:
        """It is taken before anybody knows the topics, often in another process."""
        async with self.upstream() as upstream:
            since = await self._settled(upstream)
            await self.send(row(OTHER, 1))

            async with self.upstream(ALIKE, OTHER) as later:
                self.assertIsNone(await later.missed([ALIKE], since))
                self.assert_reason(await later.missed([OTHER], since))

    async def test_sync_and_async_positions_are_the_same(self) -> None:
        """`aposition()` is `position()` for async code."""
        async with self.upstream() as upstream:
            await self._settled(upstream)
            await self.send(row(LIST, 1))

            since = await sync_to_async(self.make_pubsub().position)()

            self.assertIsNone(await upstream.missed([LIST], since))
            await self.send(row(LIST, 2))
            self.assert_reason(await upstream.missed([LIST], since))

    async def test_a_cursor_of_watch_is_one_from_which_nothing_is_missed(self) -> None:
        """Whoever returns with it hears of all that was sent after it."""
        await self.send(row(SENTINEL, 0))
        async with self.upstream() as upstream:
            since = await upstream.watch([LIST])
            self.assertIsNone(await upstream.missed([LIST], since))

            await self.send(row(LIST, 1))

            self.assert_reason(await upstream.missed([LIST], since))

    async def test_a_cursor_of_a_message_stands_behind_it(self) -> None:
        """A client that has applied a message, and returns with its cursor, missed nothing."""
        async with self.upstream(LIST) as upstream:
            await self.send(row(LIST, 1))
            await self.send(row(LIST, 2))
            first, second = (message.cursor for message in await self.receive_raw(upstream, 2))
            assert first is not None
            assert second is not None

            self.assert_reason(await upstream.missed([LIST], first))
            self.assertIsNone(await upstream.missed([LIST], second))

    async def test_a_cursor_of_another_epoch_proves_nothing(self) -> None:
        """Where the backend may have lost something, the answer is a reset."""
        async with self.upstream() as upstream:
            since = await self._settled(upstream)

            foreign = Cursor("another-epoch", since.offset)

            self.assert_reason(await upstream.missed([LIST], foreign))

    async def test_a_cursor_that_the_backend_cannot_have_made_proves_nothing(self) -> None:
        """Cursors come from clients: none of them may raise, and none be believed."""
        offsets = ("garbage", "-1", "~", "0x10", "9" * 17, "9" * 18, "9" * 19, "9" * 400)
        async with self.upstream() as upstream:
            since = await self._settled(upstream)

            for offset in offsets:
                for epoch in (since.epoch, "none"):
                    cursor = Cursor(epoch, offset)
                    self.assert_reason(await upstream.missed([LIST], cursor), cursor)

    # -- the end -----------------------------------------------------------------------------

    async def test_closing_twice_is_harmless(self) -> None:
        """So is closing what never watched."""
        async with self.upstream(LIST) as used, self.upstream() as unused:
            for upstream in (used, unused):
                await upstream.close()

                await self.within(upstream.close())

    async def test_a_closed_upstream_does_not_watch(self) -> None:
        """`watch()` raises UpstreamLost: silence would be taken for "nothing happened"."""
        async with self.upstream(LIST) as used, self.upstream() as unused:
            for upstream in (used, unused):
                await upstream.close()

                await self.assert_lost(upstream.watch([LIST]))

    async def test_a_closed_upstream_does_not_receive(self) -> None:
        """`receive()` raises UpstreamLost, at every call."""
        async with self.upstream(LIST) as upstream:
            await upstream.close()

            await self.assert_lost(upstream.receive())
            await self.assert_lost(upstream.receive())

    async def test_a_closed_upstream_does_not_hand_out_what_waited(self) -> None:
        """Whoever closed it has stopped to listen; half of what waited would be a lie."""
        async with self.upstream(LIST) as upstream, self.upstream(LIST) as witness:
            await self.send(row(LIST, 1))
            await self.receive(witness, 1)
            await upstream.close()

            await self.assert_lost(upstream.receive())

    async def test_closing_ends_a_waiting_receive(self) -> None:
        """Nobody waits for ever on an upstream that is dead."""
        async with self.upstream(LIST) as upstream:
            waiting = asyncio.ensure_future(upstream.receive())
            await asyncio.sleep(0)

            await upstream.close()

            await self.assert_lost(waiting)
