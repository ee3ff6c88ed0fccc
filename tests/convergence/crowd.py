"""The clients of a round: the topics that each shows, and the judge's questions about all."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from tests.convergence.judging import Truth, unaware
from tests.convergence.node_crowd import Client, NodeCrowd
from tests.convergence.sabotage import STATIC

PACE = 0.2
"""The factor by which clients' waits are shorter than in a browser, so that a short round has many
of them."""
FAULTLESS_PACE = 2.0
"""The factor in rounds without faults, where waits are longer. Clients' deadlines are waits too: a
client that drops a connection since the machine is busy would look like a fault of the product."""
RESTLESS = 0.4
"""The part of the clients that change the topics that they watch."""

LOADED_WITHIN = SETTLED_WITHIN = 180.0


class Crowd:
    """Clients of the viewers, pages and scripts in turn.

    Each shows some of `topics`; the last of these is the sentinels' topic, which all show.
    """

    def __init__(
        self,
        seed: int,
        number: int,
        topics: Sequence[str],
        viewers: Sequence[str],
        *,
        ports: Sequence[int],
        folder: Path,
        static: Path = STATIC,
        pace: float = PACE,
    ) -> None:
        *choice, self.sentinels = topics
        specs = [
            _spec(f"{seed}/client/{each}", each, choice, self.sentinels, viewers)
            for each in range(number)
        ]
        self._ports = ports
        self._pace = pace
        self._node = NodeCrowd(specs, folder / "node.log", static)
        self.clients: list[Client] = self._node.clients

    async def start(self) -> None:
        """Let every client load its page; return when all have loaded."""
        await self._node.start(self._ports, self._pace, LOADED_WITHIN)

    async def settle(self) -> None:
        """Stop the clients from changing the topics that they watch."""
        await self._node.ask("settle", SETTLED_WITHIN)

    async def wait(self, done: Callable[[], bool], seconds: float) -> bool:
        """Wait until `done()`, called after each event of a client; return False on timeout."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        await self._node.look()
        while not done():
            try:
                await asyncio.wait_for(self._node.news.wait(), max(0, deadline - loop.time()))
            except TimeoutError:
                return False
            await self._node.look()
        return True

    def restless(self, sentinel: str, truth: Truth) -> list[Client]:
        """Return the clients that are not settled, or wrong about which topics are denied.

        A settled client shows `sentinel`, the key of the row that was written last.
        """
        return [
            client
            for client in self.clients
            if not (client.settled and sentinel in client.shown[self.sentinels])
            or unaware(client, truth)
        ]

    def unaware(self, truth: Truth) -> list[Client]:
        """Return the clients that are wrong about which topics are denied to them."""
        return [client for client in self.clients if unaware(client, truth)]

    def mistaken(self) -> list[Client]:
        """Return the clients that logged an error, or received changes of a denied topic."""
        return [
            client
            for client in self.clients
            if any(client.counts[kind] for kind in ("mistake", "leak"))
        ]

    async def wake(self) -> None:
        """Make every client's page visible again, which wakes the client."""
        await self._node.ask("wake")

    async def tell(self) -> None:
        """Read each client's events, for `counts()` and the report."""
        await self._node.tell()

    def counts(self) -> Counter[str]:
        """Return kind of event -> its number, over all clients."""
        return sum((client.counts for client in self.clients), Counter())

    async def end(self) -> None:
        """End every client."""
        await self._node.end()


def _spec(
    seed: str, number: int, choice: Sequence[str], sentinels: str, viewers: Sequence[str]
) -> dict[str, Any]:
    """Return the description of one client for the Node process."""
    draw = Random(seed)
    topics = draw.sample(choice, draw.randint(2, 5))
    cut = draw.randint(1, len(topics) - 1)
    shows = (
        {"kind": "script", "topics": [sentinels, *topics]}
        if number % 2
        else {"kind": "page", "regions": [[sentinels], topics[:cut], topics[cut:]]}
    )
    return {
        **shows,
        "name": f"client {number}",
        "person": viewers[number % len(viewers)],
        "seed": seed,
        "choice": list(choice),
        "restless": draw.random() < RESTLESS,
    }
