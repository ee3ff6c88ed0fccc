"""The end of an upstream."""

from __future__ import annotations

import asyncio

from realtime.testing.backend_case import BackendCase
from realtime.testing.contract.topics import LIST, row


class Closing(BackendCase):
    """The end of an upstream."""

    async def test_closing_twice_is_harmless(self) -> None:
        """The same holds for an upstream that never watched."""
        async with self.upstream(LIST) as used, self.upstream() as unused:
            for upstream in (used, unused):
                await upstream.close()

                await self.within(upstream.close())

    async def test_a_closed_upstream_does_not_watch(self) -> None:
        """`watch()` raises UpstreamLost: silence would be taken for "no changes"."""
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

    async def test_a_closed_upstream_does_not_return_waiting_messages(self) -> None:
        """The owner has stopped receiving; some of the waiting messages would look like all."""
        async with self.upstream(LIST) as upstream, self.upstream(LIST) as witness:
            await self.send(row(LIST, 1))
            await self.receive(witness, 1)
            await upstream.close()

            await self.assert_lost(upstream.receive())

    async def test_closing_ends_a_waiting_receive(self) -> None:
        """No task waits for ever on a dead upstream."""
        async with self.upstream(LIST) as upstream:
            waiting = asyncio.ensure_future(upstream.receive())
            await asyncio.sleep(0)

            await upstream.close()

            await self.assert_lost(waiting)
