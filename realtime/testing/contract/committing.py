"""Messages are sent on commit, and not at all otherwise."""

from __future__ import annotations

import asyncio

from asgiref.sync import sync_to_async

from realtime.testing.backend_case import BackendCase
from realtime.testing.contract.topics import LIST, SENTINEL, row


class Committing(BackendCase):
    """Messages are sent on commit, and not at all otherwise."""

    async def test_messages_go_out_on_commit_and_not_before(self) -> None:
        """A client that reloaded before the commit would read the old data."""
        await self.send(row(SENTINEL, 0))
        async with self.upstream(LIST) as upstream:
            since = await self.make_pubsub().aposition()
            receiving = asyncio.create_task(self.receive(upstream, 1))

            async with self.open_transaction(row(LIST, 1)):
                before_commit = await self.replayed(upstream, [LIST], since)
                self.assertFalse(receiving.done(), "received before the commit")

            self.assertEqual(before_commit, [] if self.make_pubsub().supports_replay else None)
            self.assertEqual(await receiving, [row(LIST, 1)])
            await self.assert_told_since(upstream, [LIST], since, row(LIST, 1))

    async def test_a_message_whose_transaction_began_before_the_position_is_told(self) -> None:
        """The time of the commit counts: every commit after `position()` has a later position."""
        await self.send(row(SENTINEL, 0))
        async with self.upstream(LIST) as upstream:
            async with self.open_transaction(row(LIST, 1)):
                since = await self.make_pubsub().aposition()

            await self.receive(upstream, 1)
            await self.assert_told_since(upstream, [LIST], since, row(LIST, 1))

    async def test_messages_of_a_transaction_that_rolls_back_are_never_sent(self) -> None:
        """A message exists if and only if its change does."""
        async with self.upstream(LIST) as upstream:
            sender = self.make_pubsub()

            await self.roll_back(lambda: sender.prepare([row(LIST, 1)], self.using))
            await self.send(row(LIST, 2))

            self.assertEqual(await self.receive(upstream, 1), [row(LIST, 2)])

    async def test_publish_sends_on_commit(self) -> None:
        """`realtime.publish()` keeps its promise with this backend."""
        async with self.upstream(LIST) as upstream:
            await self.commit(lambda: self.publish(row(LIST, 1)))
            await self.roll_back(lambda: self.publish(row(LIST, 2)))
            await sync_to_async(self.publish)(row(LIST, 3))

            self.assertEqual(await self.receive(upstream, 2), [row(LIST, 1), row(LIST, 3)])
