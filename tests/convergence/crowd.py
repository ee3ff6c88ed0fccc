"""The clients of a round, all on one event loop."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random

from tests.convergence.clients import PACE, Client, PageClient
from tests.convergence.imitation.tools import Tools
from tests.convergence.judging import Truth, unaware
from tests.convergence.rows_client import RowsClient

RESTLESS = 0.4
"""The part of the clients that change what they watch."""


class Crowd:
    """Clients of both kinds, of so many people.

    `choice` are the topics that they may choose from, the last a sentinels'.
    """

    def __init__(
        self,
        seed: int,
        number: int,
        choice: Sequence[str],
        viewers: Sequence[str],
        ports: Sequence[int],
        *,
        careless: bool,
    ) -> None:
        *self._choice, self.sentinels = choice
        self._viewers = viewers
        self._ports = ports
        self._careless = careless
        self._news = asyncio.Event()
        self._stopped = asyncio.Event()
        self._wandering: list[asyncio.Task[None]] = []
        self.clients = [self._make(Random(f"{seed}/client/{each}"), each) for each in range(number)]

    async def start(self) -> None:
        """Have every client load its page; return when all show something."""
        await asyncio.gather(*(client.start() for client in self.clients))
        self._wandering = [
            asyncio.create_task(client.wander(self._stopped))
            for client in self.clients
            if client.tools.random.random() < RESTLESS
        ]

    async def settle(self) -> None:
        """Let nobody change any more what is watched."""
        self._stopped.set()
        await asyncio.gather(*self._wandering)

    async def wait(self, done: Callable[[], bool], seconds: float) -> bool:
        """Wait until `done()`, asked again whenever something happened; False when time is up."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not done():
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), max(0, deadline - loop.time()))
            except TimeoutError:
                return done()
        return True

    def restless(self, sentinel: str, truth: Truth) -> list[Client]:
        """Return those that have something to do, or to hear.

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
        strange = ("mistake", "leak")
        return [
            client for client in self.clients if any(client.tools.counts[kind] for kind in strange)
        ]

    def wake(self) -> None:
        """Have every user look at the page."""
        for client in self.clients:
            client.live.wake()

    def counts(self) -> Counter[str]:
        """Return how often what happened to all of them."""
        return sum((client.tools.counts for client in self.clients), Counter())

    async def end(self) -> None:
        """Have everybody leave."""
        self._stopped.set()
        for task in self._wandering:
            task.cancel()
        await asyncio.gather(*self._wandering, return_exceptions=True)
        await asyncio.gather(*(client.end() for client in self.clients))

    def _make(self, draw: Random, number: int) -> Client:
        viewer = self._viewers[number % len(self._viewers)]
        cookie = f"person={viewer}"
        tools = Tools(draw, PACE, self._careless, self._news.set, cookie)
        topics = draw.sample(self._choice, draw.randint(2, 5))
        name = f"client {number}"
        about = (name, viewer, self._choice, self._ports, tools)
        if number % 2:
            return RowsClient(*about, topics=[self.sentinels, *topics])
        cut = draw.randint(1, len(topics) - 1)
        return PageClient(*about, regions=[[self.sentinels], topics[:cut], topics[cut:]])
