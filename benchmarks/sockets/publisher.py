"""The process that publishes: `python -m benchmarks.sockets.publisher PEER PORT`.

It receives commands as lines of JSON. Its messages travel as the peer's do: through Redis, or, for
the bare loop, by a socket that tells the loop to begin.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from benchmarks.sockets.messages import FAMILY, LABEL, due, frame, pks, topic


def main() -> None:
    """Publish as commanded until standard input ends."""
    peer, port = sys.argv[1:]
    if peer == "bare":
        _to_bare(port)
        return
    import django

    django.setup()
    publish = _through_us if peer == "ours" else _LayerPublisher()
    while line := sys.stdin.readline():
        asked = json.loads(line)
        asked.pop("do")
        publish(**asked)
        print("{}", flush=True)


def _through_us(count: int, rate: float, topics: int, rows: int, first: int) -> None:
    from realtime import Message, Topic, publish

    for number, pause in due(count, rate):
        time.sleep(pause)
        at = Topic.of(FAMILY, (first + number) % topics)
        changes: Any = {LABEL: dict.fromkeys(pks(first + number, rows), "updated")}
        publish([Message(at, changes)])


class _LayerPublisher:
    """Publishes by `group_send` on one event loop, one message after the other."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()

    def __call__(self, **asked: Any) -> None:
        self._loop.run_until_complete(self._publish(**asked))

    async def _publish(self, count: int, rate: float, topics: int, rows: int, first: int) -> None:
        from channels.layers import get_channel_layer

        layer: Any = get_channel_layer()
        for number, pause in due(count, rate):
            if pause:
                await asyncio.sleep(pause)
            at = (first + number) % topics
            text = frame(topic(at), pks(first + number, rows))
            await layer.group_send(f"{FAMILY}.{at}", {"type": "rows.changed", "text": text})


def _to_bare(port: str) -> None:
    from websockets.sync.client import connect

    with connect(f"ws://127.0.0.1:{port}/publish", compression=None, ping_interval=None) as socket:
        while line := sys.stdin.readline():
            asked = json.loads(line)
            asked.pop("do")
            socket.send(json.dumps(asked))
            print(socket.recv(), flush=True)


if __name__ == "__main__":
    main()
