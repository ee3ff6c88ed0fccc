"""Positions: what was missed since, and what can be proven."""

from __future__ import annotations

from asgiref.sync import sync_to_async

from realtime.backends.base import Upstream
from realtime.cursors import Cursor
from realtime.messages import Message
from realtime.testing.backend_case import BackendCase
from realtime.testing.contract.topics import ALIKE, FAMILY, LIST, OTHER, SENTINEL, row


class Positions(BackendCase):
    """Positions: what was missed since, and what can be proven."""

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
