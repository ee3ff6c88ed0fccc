"""The minimal ASGI application: it encodes a frame once, and sends it in a loop.

No backend carries messages to it: commands arrive by a socket at `/publish`, and the loop is here.
"""

import asyncio
import json
from collections import defaultdict
from typing import Any

from benchmarks.sockets.messages import due, frame, pks, topic

_sends: defaultdict[int, dict[int, Any]] = defaultdict(dict)
"""The `send` of each client, by topic."""


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    if scope["path"] == "/publish":
        await _serve_publisher(receive, send)
        return
    clients, key = _sends[int(scope["path"].rpartition("/")[2])], id(scope)
    clients[key] = send
    try:
        await send({"type": "websocket.send", "text": "joined"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
    finally:
        del clients[key]


async def _serve_publisher(receive: Any, send: Any) -> None:
    while (event := await receive())["type"] == "websocket.receive":
        await _publish(**json.loads(event["text"]))
        await send({"type": "websocket.send", "text": "{}"})


async def _publish(count: int, rate: float, topics: int, rows: int, first: int) -> None:
    for number, pause in due(count, rate):
        # Flat out no other task gets a turn: no loop is faster. daphne writes at the end.
        if pause:
            await asyncio.sleep(pause)
        at = (first + number) % topics
        text = frame(topic(at), pks(first + number, rows))
        for send in list(_sends[at].values()):
            await send({"type": "websocket.send", "text": text})
