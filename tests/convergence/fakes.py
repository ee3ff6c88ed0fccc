"""A clock and a server for tests of the imitation: nothing happens but what the test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.convergence.imitation.live import Live
from tests.convergence.imitation.news import News
from tests.convergence.imitation.tools import Tools

TURNS = 30
"""More than anything here takes until all that can happen at one moment has happened."""


async def settle() -> None:
    """Let all happen that can without time passing."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


@dataclass(eq=False, slots=True)
class FakeTimer:
    """What is to come at a moment."""

    at: float
    run: Callable[[], object]
    clock: FakeClock

    def cancel(self) -> None:
        """Call it off."""
        if self in self.clock.timers:
            self.clock.timers.remove(self)


@dataclass(eq=False)
class FakeClock:
    """Goes on when it is told to."""

    time: float = 1_000_000.0
    timers: list[FakeTimer] = field(default_factory=list)

    def now(self) -> float:
        """Return the time."""
        return self.time

    def later(self, seconds: float, run: Callable[[], object]) -> FakeTimer:
        """Call `run` after so many seconds."""
        timer = FakeTimer(self.time + seconds, run, self)
        self.timers.append(timer)
        return timer

    async def advance(self, seconds: float) -> None:
        """Let time pass, and all that is due happen in its order."""
        await settle()
        end = self.time + seconds
        while due := [timer for timer in self.timers if timer.at <= end]:
            first = min(due, key=lambda timer: timer.at)
            first.cancel()
            self.time = max(self.time, first.at)
            first.run()
            await settle()
        self.time = end

    def sleep(self, seconds: float) -> None:
        """Let time pass as while the machine sleeps: its timers stand still."""
        self.time += seconds
        for timer in self.timers:
            timer.at += seconds


class FakeSocket:
    """One connection, as the server holds it."""

    def __init__(self, url: str, heard: Any, ended: Any, tools: Tools) -> None:
        self.sent: list[dict[str, Any]] = []
        self.closed = False
        self._heard = heard
        self._ended = ended

    def send(self, text: str) -> None:
        """Take what the client says."""
        self.sent.append(json.loads(text))

    def close(self) -> None:
        """Be given up by the client."""
        self.closed = True

    async def tell(self, kind: str, **fields: Any) -> None:
        """Say something to the client."""
        self._heard(self, json.dumps({"type": kind, **fields}))
        await settle()

    async def end(self, code: int) -> None:
        """Close the connection."""
        self._ended(self, code)
        await settle()

    @property
    def asked(self) -> list[dict[str, Any]]:
        """All the subscriptions that were asked for, in their order."""
        frames = [frame for frame in self.sent if frame["type"] == "subscribe"]
        return [wanted for frame in frames for wanted in frame["subscriptions"]]


class Handler:
    """Records what it is told, and ends each run when it is let; it fails where it is told to."""

    def __init__(self, *failures: bool, go: bool = False) -> None:
        self.told: list[News] = []
        self.go = asyncio.Event()
        if go:
            self.go.set()
        self._failures = [*failures]

    async def __call__(self, news: News) -> None:
        self.told.append(news)
        await self.go.wait()
        if self._failures and self._failures.pop(0):
            raise RuntimeError("not applied")


class FixedRandom(Random):
    """Draws what it is given, again and again the last."""

    def __init__(self, *shares: float) -> None:
        super().__init__(0)
        self._shares = [*shares]

    def random(self) -> float:
        """Return the next."""
        return self._shares.pop(0) if len(self._shares) > 1 else self._shares[0]


class Scene:
    """A client's connection, its clock, and the sockets that it has opened."""

    def __init__(self, *shares: float) -> None:
        self.clock = FakeClock()
        self.sockets: list[FakeSocket] = []
        self.tools = Tools(FixedRandom(*(shares or (0.5,))), clock=self.clock, socket=self._open)
        self.live = Live(lambda: "ws://server/ws/live/", self.tools)

    @property
    def server(self) -> FakeSocket:
        """The connection opened last."""
        return self.sockets[-1]

    async def welcome(self, heartbeat: float = 25) -> None:
        """Have the server greet."""
        await self.server.tell("welcome", protocol=1, heartbeat=heartbeat, connection="c")

    async def confirm(self, *topics: str, cursor: str = "c0") -> None:
        """Have the server confirm these topics."""
        await self.server.tell("subscribed", topics={each: {"cursor": cursor} for each in topics})

    async def deny(self, *topics: str) -> None:
        """Have the server deny these topics."""
        await self.server.tell("denied", topics=dict.fromkeys(topics, "not allowed"))

    async def revoke(self, *topics: str) -> None:
        """Have the server end access to these topics."""
        await self.server.tell("revoked", topics=list(topics))

    async def change(self, topic: str, pk: str = "1", cursor: str = "c1") -> None:
        """Have the server tell of a row."""
        changes = {"board.task": {"updated": [pk]}}
        await self.server.tell("changed", topics={topic: {"changes": changes, "cursor": cursor}})

    async def reset(self, topics: Sequence[str], reason: str) -> None:
        """Have the server say that all must be reloaded."""
        await self.server.tell("changed", topics={each: {"reset": reason} for each in topics})

    async def reconnect(self) -> None:
        """Lose the connection and come back, at once as one who looks."""
        before = len(self.sockets)
        await self.server.end(1006)
        self.live.wake()
        await self.clock.advance(1)
        assert len(self.sockets) == before + 1
        await self.welcome()

    def _open(self, *about: Any) -> FakeSocket:
        self.sockets.append(FakeSocket(*about))
        return self.sockets[-1]


async def until(done: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for something that takes a moment of the real time; a page's turns do."""
    async with asyncio.timeout(seconds):
        while not done():
            await asyncio.sleep(0.001)
