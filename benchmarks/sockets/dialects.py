"""Each peer's protocol: how a client subscribes, and how it answers pings."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod

from benchmarks.sockets.messages import topic
from benchmarks.sockets.wire import frame


class Dialect(ABC):
    """One peer's protocol. Topics are numbers."""

    @abstractmethod
    def path(self, number: int) -> str:
        """Return the URL path for a client of this topic."""

    def opening(self, number: int, cursor: str) -> bytes:
        """Return the bytes that the client sends once it is connected."""
        return b""

    @abstractmethod
    def is_joined(self, payload: bytes) -> bool:
        """Return True if this frame confirms the client's subscription."""

    def is_refused(self, payload: bytes) -> bool:
        """Return True if this frame denies or revokes the client's subscription."""
        return False

    def answer(self, payload: bytes, number: int) -> bytes:
        """Return the answer to a frame that holds no message; empty for none."""
        return b""


class OurDialect(Dialect):
    """The protocol of docs/reference/protocol.md."""

    def path(self, number: int) -> str:
        return "/ws/live/"

    def opening(self, number: int, cursor: str) -> bytes:
        wanted = {"topic": topic(number), **({"cursor": cursor} if cursor else {})}
        return frame(json.dumps({"type": "subscribe", "subscriptions": [wanted]}).encode())

    def is_joined(self, payload: bytes) -> bool:
        return payload.startswith(b'{"type":"subscribed"')

    def answer(self, payload: bytes, number: int) -> bytes:
        # The server holds back a client that does not answer.
        if payload.startswith(b'{"type":"ping"'):
            return frame(payload.replace(b"ping", b"pong", 1))
        return b""


class UserDialect(OurDialect):
    """The same, with a user for each topic: the path gives the user's number; tickets if wanted."""

    has_tickets = False

    def path(self, number: int) -> str:
        return f"/ws/live/?user={number}"

    def opening(self, number: int, cursor: str) -> bytes:
        if not self.has_tickets:
            return super().opening(number, cursor)
        from realtime.access.tickets import sign
        from realtime.messages.topics import Topic

        name = topic(number)
        wanted = {"topic": name, "cursor": cursor, "ticket": sign(Topic(name), str(number), "")}
        return frame(json.dumps({"type": "subscribe", "subscriptions": [wanted]}).encode())

    def is_refused(self, payload: bytes) -> bool:
        return payload.startswith((b'{"type":"denied"', b'{"type":"revoked"'))


class PlainDialect(Dialect):
    """The Channels consumer's and the bare application's protocol: the path names the topic."""

    def path(self, number: int) -> str:
        return f"/topic/{number}"

    def is_joined(self, payload: bytes) -> bool:
        return payload == b"joined"


class SocketIODialect(Dialect):
    """Engine.IO 4 over a websocket; the client asks the server to join a room."""

    def path(self, number: int) -> str:
        return "/socket.io/?EIO=4&transport=websocket"

    def is_joined(self, payload: bytes) -> bool:
        return payload.startswith(b'42["joined"')

    def answer(self, payload: bytes, number: int) -> bytes:
        if payload.startswith(b"0{"):
            return frame(b"40")
        if payload.startswith(b"40"):
            return frame(f'42["join","{topic(number)}"]'.encode())
        return frame(b"3") if payload == b"2" else b""


def dialect(peer: str) -> Dialect:
    """Return the dialect of a peer."""
    return {"ours": OurDialect, "users": UserDialect, "socketio": SocketIODialect}.get(
        peer, PlainDialect
    )()
