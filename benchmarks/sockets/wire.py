"""The client side of RFC 6455, by hand, as far as a load generator needs it, for speed."""

from __future__ import annotations

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10

END_OF_HEAD = b"\r\n\r\n"

SHORTEST_HEAD = 2
IN_TWO, IN_EIGHT = 126, 127
"""Values in place of a length: the length follows in two bytes, or in eight."""


def handshake(port: int, path: str, cookie: str = "") -> bytes:
    """Return the request for a websocket; it offers no extension, so frames are not compressed."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        f"Origin: http://127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ]
    if cookie:
        lines.append(f"Cookie: {cookie}")
    return "\r\n".join(lines).encode() + END_OF_HEAD


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """Return a client's frame. Its mask is zero, which is allowed and changes no byte."""
    length = len(payload)
    size = bytes([0x80 | length]) if length < IN_TWO else b"\xfe" + length.to_bytes(2, "big")
    return bytes([0x80 | opcode]) + size + bytes(4) + payload


def split(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Return the complete frames in `data` as (opcode, payload), and the remaining bytes."""
    found: list[tuple[int, bytes]] = []
    start, end = 0, len(data)
    while end - start >= SHORTEST_HEAD:
        length = data[start + 1]
        begin = start + 2
        if length == IN_TWO:
            begin = start + 4
            length = int.from_bytes(data[start + 2 : begin], "big")
        elif length == IN_EIGHT:
            begin = start + 10
            length = int.from_bytes(data[start + 2 : begin], "big")
        if begin + length > end:
            break
        found.append((data[start] & 0x0F, data[begin : begin + length]))
        start = begin + length
    return found, data[start:]
