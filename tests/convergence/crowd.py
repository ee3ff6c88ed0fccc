"""The clients of a round: what each is to show, and what the judge may ask of all of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from tests.convergence.imitated_crowd import ImitatedCrowd
from tests.convergence.judging import Truth, unaware
from tests.convergence.node_crowd import Client, NodeCrowd
from tests.convergence.sabotage import STATIC

PACE = 0.2
"""The waits of the clients are so much shorter than in a browser: a short round sees many."""
RESTLESS = 0.4
"""The part of the clients that change what they watch."""

LOADED_WITHIN = SETTLED_WITHIN = 60.0


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
        which: str = "node",
        careless: bool = False,
    ) -> None:
        *choice, self.sentinels = topics
        specs = [
            _spec(f"{seed}/client/{each}", each, choice, self.sentinels, viewers)
            for each in range(number)
        ]
        self._ports = ports
        self._node = NodeCrowd(specs if which != "imitation" else [], folder / "node.log", static)
        self._imitated = ImitatedCrowd(
            specs if which != "node" else [], choice, ports, careless=careless
        )
        self._parts = (self._node, self._imitated)
        self.clients: list[Client] = [*self._node.clients, *self._imitated.clients]

    async def start(self) -> None:
        """Have every client load its page; return when all show something."""
        await asyncio.gather(
            self._node.start(self._ports, PACE, LOADED_WITHIN), self._imitated.start()
        )

    async def settle(self) -> None:
        """Let no client change any more what it watches."""
        await asyncio.gather(self._node.ask("settle", SETTLED_WITHIN), self._imitated.settle())

    async def wait(self, done: Callable[[], bool], seconds: float) -> bool:
        """Wait until `done()`, asked whenever something happened; False when time is up."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            await asyncio.gather(*(part.look() for part in self._parts))
            if done():
                return True
            if not await self._news(deadline - loop.time()):
                await asyncio.gather(*(part.look() for part in self._parts))
                return done()

    async def _news(self, seconds: float) -> bool:
        """Return True when there is news of a client, False when time is up."""
        waits = [asyncio.create_task(part.news.wait()) for part in self._parts]
        came, _ = await asyncio.wait(
            waits, timeout=max(0, seconds), return_when=asyncio.FIRST_COMPLETED
        )
        for wait in waits:
            wait.cancel()
        return bool(came)

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

    def mistaken(self) -> list[Client]:
        """Return those that met what they did not expect, or were told what they may not know."""
        return [
            client
            for client in self.clients
            if any(client.counts[kind] for kind in ("mistake", "leak"))
        ]

    async def wake(self) -> None:
        """Have every user look at the page."""
        await asyncio.gather(self._node.ask("wake"), self._imitated.wake())

    async def tell(self) -> None:
        """Learn what happened to each client, for `counts()` and the report."""
        await asyncio.gather(*(part.tell() for part in self._parts))

    def counts(self) -> Counter[str]:
        """Return how often what happened to all of them."""
        return sum((client.counts for client in self.clients), Counter())

    async def end(self) -> None:
        """Have every client leave."""
        await asyncio.gather(*(part.end() for part in self._parts))


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
