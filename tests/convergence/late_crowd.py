"""Many clients with very old cursors reconnect to a server that has just started.

    python -m tests.convergence.late_crowd --records 3000 --clients 17 --topics 5

Prints after how many seconds each client was answered or disconnected. A server reads no further
frames of a client while it reads that client's history. uvicorn closes a connection whose client
has not answered its ping for forty seconds; the client reconnects then, and the reading starts
again.
"""

from __future__ import annotations

import argparse
import asyncio
import time

from websockets.exceptions import ConnectionClosed

from tests.convergence.processes import Process, run
from tests.convergence.rounds import Round
from tests.convergence.world import Size, World
from tests.realtime.socket_client import connected_to

HOST = "http://127.0.0.1"

WRITE = """
import django, sys
django.setup()
from realtime import Message, Topic, position, publish
first = position()
for number in range(int(sys.argv[1])):
    topics = [Topic(f"list:{1 + (number + each) % 60}") for each in range(int(sys.argv[2]))]
    rows = {str(row): "updated" for row in range(3)}
    publish([Message(topic, {"board.task": rows}) for topic in topics])
print(first)
"""


async def main(records: int, wide: int, clients: int, topics: int) -> None:
    """Write a history, start a server, and let all clients reconnect with a cursor before it."""
    wanted = Round(size=Size(webs=1, writers=0))
    async with World("sqlite", wanted.site(), wanted.size, 1, raw=False) as world:
        (web,) = world.processes["web"]
        environment = world.direct.environment()
        cursor = (await run(["-c", WRITE, str(records), str(wide)], environment)).decode().strip()
        web.kill()
        await web.start()
        answers = (_reconnect(web, cursor, each, topics) for each in range(clients))
        print(*await asyncio.gather(*answers), sep="\n")
    world.remove()


async def _reconnect(web: Process, cursor: str, number: int, topics: int) -> str:
    names = [f"list:{1 + (number * topics + each) % 60}" for each in range(topics)]
    began = time.monotonic()
    try:
        async with connected_to(
            HOST, web.socket, origin=HOST, patience=None, ping_interval=None
        ) as socket:
            await socket.receive("welcome")
            await socket.subscribe(*names, cursor=cursor)
            result = "answered"
    except ConnectionClosed as closed:
        result = f"disconnected: {closed}"
    return f"client {number} {result} after {time.monotonic() - began:.1f} s"


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m tests.convergence.late_crowd", description=__doc__)
    parser.add_argument("--records", type=int, default=3_000)
    parser.add_argument("--wide", type=int, default=12, help="messages of each record")
    parser.add_argument("--clients", type=int, default=17)
    parser.add_argument("--topics", type=int, default=5, help="of each client")
    asyncio.run(main(**vars(parser.parse_args())))
