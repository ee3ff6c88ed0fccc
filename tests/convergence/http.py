"""Fetch over HTTP: one connection for each request; an incomplete response is an error."""

from __future__ import annotations

import asyncio

FETCH_TIMEOUT = 20.0


class NotAnswered(Exception):
    """The server was unreachable, or its response was incomplete, late, or not 200."""


async def fetch(port: int, path: str, seconds: float = FETCH_TIMEOUT) -> str:
    """Return the body of the response to a GET; raise NotAnswered unless it is a complete 200."""
    try:
        async with asyncio.timeout(seconds):
            return await _fetch(port, path)
    except (OSError, asyncio.IncompleteReadError, ValueError) as error:
        raise NotAnswered(f"{path}: {error!r}") from error


async def _fetch(port: int, path: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: close"]
        writer.write("\r\n".join([*head, "", ""]).encode())
        status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines if line)
        body = await reader.readexactly(int(headers.get("content-length", -1)))
    finally:
        writer.transport.abort()
    if status.split()[1] != "200":
        raise NotAnswered(f"{path}: {status}")
    return body.decode()
