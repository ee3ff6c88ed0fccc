"""The clients of a round: what each is to show, and what the judge may ask of all of them."""

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
"""The waits of the clients are so much shorter than in a browser: a short round sees many."""
FAULTLESS_PACE = 2.0
"""Where nothing goes wrong they are longer. The clients' deadlines are waits too, and a connection
that is given up since the machine is busy would be taken for a fault of the product."""
RESTLESS = 0.4
"""The part of the clients that change what they watch."""

LOADED_WITHIN = SETTLED_WITHIN = 180.0


class Crowd:
    """Pages and scripts of so many people. `topics` may be chosen from; the last is sentinels'."""

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
        """Have every client load its page; return when all show something."""
        await self._node.start(self._ports, self._pace, LOADED_WITHIN)

    async def settle(self) -> None:
        """Let no client change any more what it watches."""
        await self._node.ask("settle", SETTLED_WITHIN)

    async def wait(self, done: Callable[[], bool], seconds: float) -> bool:
        """Wait until `done()`, asked whenever something happened; False when time is up."""
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
        """Return the clients that have something to do, or to hear.

        Of the row written last of all, or of what they may and may not see.
        """
        return [
            client
            for client in self.clients
            if not (client.settled and sentinel in client.shown[self.sentinels])
            or unaware(client, truth)
        ]

    def unaware(self, truth: Truth) -> list[Client]:
        """Return the clients that are wrong about what is denied to them."""
        return [client for client in self.clients if unaware(client, truth)]

    def mistaken(self) -> list[Client]:
        """Return those that met what they did not expect, or were told what they may not know."""
        return [
            client
            for client in self.clients
            if any(client.counts[kind] for kind in ("mistake", "leak"))
        ]

    async def wake(self) -> None:
        """Have every user look at the page."""
        await self._node.ask("wake")

    async def tell(self) -> None:
        """Learn what happened to each client, for `counts()` and the report."""
        await self._node.tell()

    def counts(self) -> Counter[str]:
        """Return how often what happened to all of them."""
        return sum((client.counts for client in self.clients), Counter())

    async def end(self) -> None:
        """Have every client leave."""
        await self._node.end()


def _spec(
    seed: str, number: int, choice: Sequence[str], sentinels: str, viewers: Sequence[str]
) -> dict[str, Any]:
    """Return what the process is told of one client: scripts and pages in turn."""
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
