"""`connection.js`, `comeback.js`, `liveness.js`: one websocket at a time, and again when lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from tests.convergence.imitation.socket import Socket
from tests.convergence.imitation.tools import Backoff, Tools

Frame = dict[str, Any]

WELCOME_TIMEOUT = 10.0
SILENT_HEARTBEATS = 2.5
PROBE_TIMEOUT = 3.0
STABLE_AFTER = 10.0
HURRIED_WAIT = 0.5
BROKEN, TRY_AGAIN_LATER = 1006, 1013


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a close code asks of a client that wants to come back."""

    refused: bool = False
    slow: bool = False
    spread: float = 0.0


ORDINARY = Meaning()
SPREAD = Meaning(spread=5.0)
MEANINGS = {
    **dict.fromkeys((4400, 4413), Meaning(slow=True)),
    **dict.fromkeys((4401, 4403), Meaning(slow=True, refused=True)),
    **dict.fromkeys((4429, 4503, 1012, 4504, TRY_AGAIN_LATER), SPREAD),
}


class Listener(Protocol):
    """Who is told what happens on the connection."""

    def opened(self) -> None: ...
    def lost(self) -> None: ...
    def received(self, frame: Frame) -> None: ...


class Connection:
    """One websocket at a time. Each attempt goes where `address` says."""

    def __init__(self, address: Callable[[], str], listener: Listener, tools: Tools) -> None:
        self.state = "waiting"
        self._address = address
        self._listener = listener
        self._tools = tools
        self._backoff = Backoff(tools)
        self._hurried = False
        self._socket: Socket | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._silence = 0.0
        self._welcomed_at = 0.0

    def open(self) -> None:
        """Make an attempt now."""
        self.state = "connecting"
        self._set("attempt", WELCOME_TIMEOUT, self.reopen)
        self._socket = Socket(self._address(), self._heard, self._ended, self._tools)

    def send(self, frame: Frame) -> None:
        """Send a frame, if the server has welcomed us."""
        if self.state == "open" and self._socket is not None:
            self._socket.send(json.dumps(frame))

    def wake(self) -> None:
        """Make sure of an open connection, or wait no longer for the next."""
        if self.state == "open":
            if "probe" not in self._timers:
                self._set("probe", PROBE_TIMEOUT, self.reopen)
                self.send({"type": "ping"})
        elif self.state != "connecting" and not self._hurried:
            self._hurried = True
            self._set("attempt", self._tools.random.random() * HURRIED_WAIT, self.open)

    def reopen(self, code: int = BROKEN) -> None:
        """Give this socket up and come back with another: the answer to every doubt."""
        socket = self._socket
        self._closed(code)
        if socket is not None:
            socket.close()

    def close(self) -> None:
        """End for good; browsers have no such thing but leaving the page."""
        for name in list(self._timers):
            self._clear(name)
        socket, self._socket, self.state = self._socket, None, "closed"
        if socket is not None:
            socket.close()

    def _heard(self, socket: Socket, text: str) -> None:
        # A socket that was given up may still speak.
        if socket is not self._socket:
            return
        self._listen_on()
        try:
            self._dispatch(json.loads(text))
        except Exception as error:
            self._tools.note("mistake", error=repr(error), frame=text[:300])
            self.reopen(TRY_AGAIN_LATER)

    def _ended(self, socket: Socket, code: int) -> None:
        if socket is self._socket:
            self._closed(code)

    def _dispatch(self, frame: Frame) -> None:
        match frame["type"]:
            case "welcome":
                self._welcomed(frame)
            case "ping":
                self.send({"type": "pong", "seq": frame["seq"]})
            case "pong":
                self._clear("probe")
            case "error":
                self._tools.note("mistake", error=frame)
            case _:
                self._tools.note(frame["type"], topics=frame.get("topics"))
                self._listener.received(frame)

    def _welcomed(self, frame: Frame) -> None:
        self._clear("attempt")
        self.state = "open"
        self._welcomed_at = asyncio.get_running_loop().time()
        # The server's own time, so it is not shortened.
        self._silence = frame["heartbeat"] * SILENT_HEARTBEATS / self._tools.pace
        self._listen_on()
        self._tools.note("open", connection=frame["connection"])
        self._listener.opened()

    def _listen_on(self) -> None:
        if self._silence:
            self._set("silence", self._silence, self.reopen)

    def _closed(self, code: int) -> None:
        meaning = MEANINGS.get(code, ORDINARY)
        lived = asyncio.get_running_loop().time() - self._welcomed_at
        if self.state == "open" and lived >= STABLE_AFTER * self._tools.pace:
            self._backoff.reset()
        self._tools.note("lost", code=code, state=self.state)
        self._hurried = False
        wait = self._backoff.next(meaning.spread) + (self._backoff.cap if meaning.slow else 0)
        self._clear("silence")
        self._clear("probe")
        self._silence = 0.0
        self._socket = None
        self.state = "refused" if meaning.refused else "waiting"
        self._set("attempt", wait, self.open)
        self._listener.lost()

    def _set(self, name: str, seconds: float, run: Callable[[], None]) -> None:
        self._clear(name)

        def due() -> None:
            del self._timers[name]
            run()

        self._timers[name] = self._tools.later(seconds, due)

    def _clear(self, name: str) -> None:
        if name in self._timers:
            self._timers.pop(name).cancel()
