"""The imitated clients of a round, all on one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from tests.convergence.clients import PACE, Client, PageClient
from tests.convergence.imitation.tools import Tools
from tests.convergence.rows_client import RowsClient


class ImitatedCrowd:
    """Stands where a NodeCrowd may stand."""

    def __init__(
        self,
        specs: Sequence[Mapping[str, Any]],
        choice: Sequence[str],
        ports: Sequence[int],
        *,
        careless: bool,
    ) -> None:
        self.news = asyncio.Event()
        self._specs = specs
        self._choice = choice
        self._ports = ports
        self._careless = careless
        self._stopped = asyncio.Event()
        self._wandering: list[asyncio.Task[None]] = []
        self.clients = [self._make(spec) for spec in specs]

    async def start(self) -> None:
        await asyncio.gather(*(client.start() for client in self.clients))
        self._wandering = [
            asyncio.create_task(client.wander(self._stopped))
            for client, spec in zip(self.clients, self._specs, strict=True)
            if spec["restless"]
        ]

    async def settle(self) -> None:
        self._stopped.set()
        await asyncio.gather(*self._wandering)

    async def wake(self) -> None:
        for client in self.clients:
            client.live.wake()

    async def look(self) -> None:
        self.news.clear()

    async def tell(self) -> None:
        for client in self.clients:
            client.counts["welcome"] = client.counts["open"]

    async def end(self) -> None:
        self._stopped.set()
        for task in self._wandering:
            task.cancel()
        await asyncio.gather(*self._wandering, return_exceptions=True)
        await asyncio.gather(*(client.end() for client in self.clients))

    def _make(self, spec: Mapping[str, Any]) -> Client:
        cookie = f"person={spec['person']}"
        tools = Tools(Random(spec["seed"]), PACE, self._careless, self.news.set, cookie)
        about = (f"imitated {spec['name']}", spec["person"], self._choice, self._ports, tools)
        if spec["kind"] == "script":
            return RowsClient(*about, topics=spec["topics"])
        return PageClient(*about, regions=spec["regions"])
