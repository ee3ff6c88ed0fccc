"""`connection.js`: one websocket at a time, and again when it is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol

from tests.convergence.imitation.comeback import Comeback
from tests.convergence.imitation.liveness import Liveness
from tests.convergence.imitation.socket import Socket
from tests.convergence.imitation.tools import Alarm, Tools, Wire

Frame = dict[str, Any]

WELCOME_TIMEOUT = 10.0
PROTOCOL = 1
BROKEN, TRY_AGAIN_LATER, REFUSED = 1006, 1013, 4403


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
        self._comeback = Comeback(tools.random.random)
        self._liveness = Liveness(tools, self.reopen)
        self._socket: Wire | None = None
        self._alarm = Alarm(tools)
        self._proved_at: float | None = None

    def open(self) -> None:
        """Make an attempt now."""
        self.state = "connecting"
        self._alarm.set(WELCOME_TIMEOUT, self.reopen)
        opening = self._tools.socket or Socket
        self._socket = opening(self._address(), self._heard, self._ended, self._tools)

    def send(self, frame: Frame) -> None:
        """Send a frame, if the server has welcomed us."""
        if self.state == "open" and self._socket is not None:
            self._socket.send(json.dumps(frame, ensure_ascii=False, separators=(",", ":")))

    def proved(self) -> None:
        """Note that all that was asked for is answered; until then it is no success."""
        if self._proved_at is None:
            self._proved_at = self._tools.now()

    def wake(self) -> None:
        """Make sure of an open connection, or wait no longer for the next."""
        if self._liveness.is_overdue:
            self.reopen()
        if self.state == "open":
            self._liveness.probe(lambda: self.send({"type": "ping"}))
        elif self.state != "connecting" and (wait := self._comeback.hurried()) is not None:
            self._alarm.set(wait, self.open)

    def reopen(self, code: int = BROKEN) -> None:
        """Give this socket up and come back with another: the answer to every doubt."""
        socket = self._socket
        self._closed(code)
        if socket is not None:
            socket.close()

    def close(self) -> None:
        """End for good; browsers have no such thing but leaving the page."""
        self._alarm.clear()
        self._liveness.stop()
        socket, self._socket, self.state = self._socket, None, "closed"
        if socket is not None:
            socket.close()

    def _heard(self, socket: Wire, text: str) -> None:
        # A socket that was given up may still speak.
        if socket is not self._socket:
            return
        if self._liveness.is_overdue:
            # Buffered before a sleep: the connection may be long dead.
            self.reopen()
            return
        self._liveness.heard()
        try:
            self._dispatch(json.loads(text))
        except Exception as error:
            self._tools.note("mistake", error=repr(error), frame=text[:300])
            self.reopen(TRY_AGAIN_LATER)

    def _ended(self, socket: Wire, code: int) -> None:
        if socket is self._socket:
            self._closed(code)

    def _dispatch(self, frame: Frame) -> None:
        match frame["type"]:
            case "welcome":
                self._welcomed(frame)
            case "ping":
                self.send({"type": "pong", "seq": frame["seq"]})
            case "pong":
                self._liveness.ponged()
            case "error":
                self._tools.note("mistake", error=frame)
            case _:
                self._tools.note(frame["type"], topics=frame.get("topics"))
                if leaked := self._tools.leaks.heard(frame):
                    self._tools.note("leak", topics=leaked)
                self._listener.received(frame)

    def _welcomed(self, frame: Frame) -> None:
        if frame["protocol"] != PROTOCOL:
            self._tools.note("mistake", error=frame)
            self.reopen(REFUSED)
            return
        self._alarm.clear()
        self.state = "open"
        self._liveness.start(frame["heartbeat"])
        self._tools.leaks.opened()
        self._tools.note("open", connection=frame["connection"])
        self._listener.opened()

    def _closed(self, code: int) -> None:
        proved_at, self._proved_at = self._proved_at, None
        served = 0.0 if proved_at is None else self._tools.now() - proved_at
        self._tools.note("lost", code=code, state=self.state)
        refused, wait = self._comeback.after(code, served)
        self._liveness.stop()
        self._socket = None
        self.state = "refused" if refused else "waiting"
        self._alarm.set(wait, self.open)
        self._listener.lost()
