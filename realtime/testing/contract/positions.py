"""Positions: messages behind one are replayed; an unproven replay is refused."""

from __future__ import annotations

import asyncio

from asgiref.sync import sync_to_async

from realtime.backends.base import Upstream
from realtime.exceptions import CannotReplay
from realtime.messages.cursors import Cursor
from realtime.messages.message import Message
from realtime.testing.backend_case import BackendCase, without_cursor
from realtime.testing.contract.topics import ALIKE, FAMILY, LIST, OTHER, SENTINEL, row, turns


class Positions(BackendCase):
    """Positions: messages behind one are replayed; an unproven replay is refused."""

    async def _settled(self, upstream: Upstream) -> Cursor:
        """Watch, and return a position in a history with at least one message.

        A backend need not prove anything about an empty history.
        """
        await self.send(row(SENTINEL, 0))
        await upstream.watch([LIST, FAMILY])
        return await self.make_pubsub().aposition()

    async def test_a_replay_is_empty_if_no_message_was_sent(self) -> None:
        """A page that subscribes at once, with its position, need not be reloaded."""
        async with self.upstream() as upstream:
            since = await self._settled(upstream)

            await self.assert_nothing_since(upstream, [LIST, FAMILY], since)

    async def test_messages_sent_after_a_position_are_told(self) -> None:
        """A commit after `position()` returned has a later position."""
        async with self.upstream() as upstream:
            since = await self._settled(upstream)

            await self.send(row(LIST, 1))

            await self.assert_told_since(upstream, [LIST], since, row(LIST, 1))
            await self.assert_told_since(upstream, [LIST, FAMILY], since, row(LIST, 1))

    async def test_messages_to_the_family_are_told_too(self) -> None:
        """`replay()` searches each of the given topics."""
        async with self.upstream() as upstream:
            since = await self._settled(upstream)

            await self.send(Message(FAMILY, reset="bulk"))

            bulk = Message(FAMILY, reset="bulk")
            await self.assert_told_since(upstream, [LIST, FAMILY], since, bulk)

    async def test_messages_before_a_position_are_not_replayed(self) -> None:
        """A position covers all messages up to it."""
        async with self.upstream(LIST) as upstream:
            await self.send(row(LIST, 1))

            since = await self.make_pubsub().aposition()

            await self.assert_nothing_since(upstream, [LIST], since)

    async def test_messages_of_other_topics_do_not_count(self) -> None:
        """Messages of a busy neighbour do not cause a reload."""
        async with self.upstream() as upstream:
            since = await self._settled(upstream)

            await self.send(row(OTHER, 1), row(ALIKE, 1))

            await self.assert_nothing_since(upstream, [LIST, FAMILY], since)

    async def test_a_position_is_good_for_any_instance_and_any_later_topic(self) -> None:
        """A position is taken before the topics are known, often in another process."""
        async with self.upstream() as upstream:
            since = await self._settled(upstream)
            await self.send(row(OTHER, 1))

            async with self.upstream(ALIKE, OTHER) as later:
                await self.assert_nothing_since(later, [ALIKE], since)
                await self.assert_told_since(later, [OTHER], since, row(OTHER, 1))

    async def test_sync_and_async_positions_are_the_same(self) -> None:
        """`aposition()` is `position()` for async code."""
        async with self.upstream() as upstream:
            await self._settled(upstream)
            await self.send(row(LIST, 1))

            since = await sync_to_async(self.make_pubsub().position)()

            await self.assert_nothing_since(upstream, [LIST], since)
            await self.send(row(LIST, 2))
            await self.assert_told_since(upstream, [LIST], since, row(LIST, 2))

    async def test_no_message_is_missed_after_the_cursor_of_watch(self) -> None:
        """A client that reconnects with it gets all messages that were sent after it."""
        await self.send(row(SENTINEL, 0))
        async with self.upstream() as upstream:
            since = await upstream.watch([LIST])
            await self.assert_nothing_since(upstream, [LIST], since)

            await self.send(row(LIST, 1))

            await self.assert_told_since(upstream, [LIST], since, row(LIST, 1))

    async def test_the_cursor_of_a_message_is_behind_it(self) -> None:
        """A client that has applied a message, and reconnects with its cursor, missed nothing."""
        async with self.upstream(LIST) as upstream:
            await self.send(row(LIST, 1))
            await self.send(row(LIST, 2))
            first, second = (message.cursor for message in await self.receive_raw(upstream, 2))
            assert first is not None
            assert second is not None

            await self.assert_told_since(upstream, [LIST], first, row(LIST, 2))
            await self.assert_nothing_since(upstream, [LIST], second)

    async def test_a_cursor_of_another_epoch_proves_nothing(self) -> None:
        """If the backend may have lost a message, the client is reset."""
        async with self.upstream() as upstream:
            since = await self._settled(upstream)

            foreign = Cursor("another-epoch", since.offset)

            await self.assert_refused(upstream, foreign)

    async def test_a_cursor_that_the_backend_cannot_have_made_proves_nothing(self) -> None:
        """Cursors come from clients: an invalid one raises no other error, and proves nothing."""
        offsets = ("garbage", "-1", "~", "0x10", "9" * 17, "9" * 18, "9" * 19, "9" * 400)
        async with self.upstream() as upstream:
            since = await self._settled(upstream)

            for offset in offsets:
                for epoch in (since.epoch, "none"):
                    await self.assert_refused(upstream, Cursor(epoch, offset))

    async def test_a_replay_is_complete_and_in_order(self) -> None:
        """This holds for every position, taken in any process and replayed by any upstream."""
        sent = [row(LIST, number) if number % 3 else row(OTHER, number) for number in range(30)]
        wanted = [message for message in sent if message.topic == LIST]
        taken: list[tuple[Cursor, list[Message]]] = []
        async with self.upstream(LIST) as early:
            await self.send(row(SENTINEL, 0))
            for number, message in enumerate(sent):
                rest = [each for each in sent[number:] if each.topic == LIST]
                taken.append((await self.make_pubsub().aposition(), rest))
                await self.send(message)
            received = await self.receive_raw(early, len(wanted))
            cursors = [message.cursor for message in received]
            taken += [(c, wanted[n + 1 :]) for n, c in enumerate(cursors) if c is not None]
            async with self.upstream(LIST) as late:
                for upstream in (early, late):
                    for since, rest in taken:
                        await self.assert_told_since(upstream, [LIST], since, *rest)

    async def test_a_replayed_message_has_a_cursor_to_continue_from(self) -> None:
        """A client that applied some of the replayed messages gets the rest from there."""
        async with self.upstream() as upstream:
            since = await self._settled(upstream)
            for number in range(3):
                await self.send(row(LIST, number))
            await self.receive(upstream, 3)

            try:
                first, *rest = await self.within(upstream.replay([LIST], since))
            except CannotReplay:
                self.assertFalse(self.make_pubsub().supports_replay)
                return
            assert first.cursor is not None
            replayed = [without_cursor(message) for message in rest]
            await self.assert_told_since(upstream, [LIST], first.cursor, *replayed)

    async def test_the_head_is_behind_the_received_messages(self) -> None:
        """It is before a waiting message: a client with this cursor received all earlier ones."""
        async with self.upstream() as upstream:
            await self._settled(upstream)
            await self.send(row(LIST, 1))
            before = upstream.head()
            await self.receive(upstream, 1)

            await self.assert_told_since(upstream, [LIST], before, row(LIST, 1))
            await self.assert_nothing_since(upstream, [LIST], upstream.head())

    async def test_a_client_that_subscribes_during_a_stream_is_told_every_message(self) -> None:
        """Position, then watch, then replay, during a stream of messages: none is missed."""
        await self.send(row(SENTINEL, 0))
        for number in range(self.rounds // 4):
            sent = [row(LIST, pk) for pk in range(20)]
            async with self.upstream() as upstream, self.sender() as send_soon:
                for message in sent[:10]:
                    send_soon(message)
                await turns(number)
                since = await self.make_pubsub().aposition()
                for message in sent[10:]:
                    send_soon(message)
                await upstream.watch([LIST])
                after = await self._sent_after(since, sent)
                await self.assert_told_since(upstream, [LIST], since, *after)

    async def _sent_after(self, since: Cursor, sent: list[Message]) -> list[Message]:
        """Return the messages that a replay returns since a position, once all were sent."""
        async with asyncio.timeout(self.patience):
            while True:
                async with self.upstream(SENTINEL) as witness:
                    replayed = await self.replayed(witness, [LIST], since)
                if replayed is None or sent[-1] in replayed:
                    return [message for message in sent if message in (replayed or ())]
                await asyncio.sleep(0.01)
