"""The process that holds the clients: `python -m benchmarks.sockets.client PEER PORT [COOKIE]`.

It receives commands as lines of JSON, and answers each with a line. Between commands it continues
to read its sockets and to answer pings.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.sockets.client_logs import caught_up, summary
from benchmarks.sockets.dialects import UserDialect, dialect
from benchmarks.sockets.load import Client, Load
from benchmarks.sockets.processes import allow_many_files

LOST_AFTER = 10.0
"""Seconds without a message after which the rest counts as lost: a server may be busy for some."""

CAUGHT_UP_AFTER = 1.0
"""Seconds without a message after which a client that stalled has read everything."""

GIVE_UP_AFTER = 60.0
"""Seconds without progress after which clients stop waiting for subscriptions or messages."""


class Commands:
    """The commands of the process. Each public method is a command; its result is the answer."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._cpu = 0.0
        self._stalled: list[Client] = []

    def open(
        self, count: int, topics: int, window: int = 100, stalling: int = 0, buffer: int = 0
    ) -> dict[str, Any]:
        """Connect `count` clients to `topics` topics, in turns, at most `window` at once.

        The first `stalling` clients have a receive buffer of `buffer` bytes.
        """
        return self._join(
            [(n % topics, "", buffer if n < stalling else 0) for n in range(count)], window
        )

    def forget(self, nap: float = 0) -> dict[str, Any]:
        """Discard the messages received, and restart the measurement.

        With `nap` seconds between polls more is read at once, which takes less processor time.
        """
        self._load.nap = nap
        self._load.forget()
        gc.collect()
        self._cpu = time.process_time()
        return {"clients": len(self._load.clients)}

    def receive(self, expected: int, quiet: float = LOST_AFTER, skip: int = 0) -> dict[str, Any]:
        """Wait for `expected` deliveries, or `quiet` seconds without any; report the deliveries.

        The first `skip` clients are not counted.
        """
        began = time.monotonic_ns()

        def is_over() -> bool:
            since = max(began, self._load.last_news)
            return self._load.told >= expected or time.monotonic_ns() - since > quiet * 1e9

        self._until(is_over)
        used = time.process_time() - self._cpu
        clients = list(self._load.clients.values())
        if self._load.told >= expected > summary(clients)["deliveries"]:
            # Some messages were repeated; missing ones may still arrive.
            self._until(lambda: time.monotonic_ns() - self._load.last_news > quiet * 1e9)
        found = summary(clients[skip:])
        busy = used / found["seconds"] if found["seconds"] else 0.0
        return {**found, "client cpu": busy, "closed": self._load.closed}

    def stall(self, count: int) -> dict[str, Any]:
        """Make the first `count` clients stop reading."""
        self._stalled = list(self._load.clients.values())[:count]
        self._load.stop_reading(self._stalled)
        return {}

    def resume(self) -> dict[str, Any]:
        """Make them read again until no message comes; report for how long messages came."""
        began = self._load.last_news = time.monotonic_ns()
        self._load.read_on(self._stalled)
        self._until(lambda: time.monotonic_ns() - self._load.last_news > CAUGHT_UP_AFTER * 1e9)
        return {"took": (self._load.last_news - began) / 1e9}

    def catch_up(self, last: int) -> dict[str, Any]:
        """Wait until each stalled client has the last message; report how they caught up.

        The last message was sent after they had read everything else.
        """
        mark = f'"@{last}-'.encode()

        def is_told(client: Client) -> bool:
            return not client.is_open or any(mark in payload for _, payload in client.log[-1:])

        self._until(lambda: all(map(is_told, self._stalled)))
        still = [client for client in self._stalled if client.is_open]
        return {**caught_up(still, last), "closed": len(self._stalled) - len(still)}

    def drop(self) -> dict[str, Any]:
        """Close the sockets of all clients at once."""
        self._dropped = self._load.drop_all()
        return {"dropped": len(self._dropped)}

    def reconnect(self, window: int) -> dict[str, Any]:
        """Reconnect all clients with their cursors; wait until each has received a message."""
        began, used = time.monotonic(), time.process_time()
        joined = self._join([(each.topic, each.cursor, 0) for each in self._dropped], window)
        clients = list(self._load.clients.values())
        waiting = set(clients)

        def all_told() -> bool:
            waiting.difference_update(
                [each for each in waiting if each.log or each.refused_after or not each.is_open]
            )
            return not waiting

        self._until(all_told)
        took = time.monotonic() - began
        found = summary(clients)
        return {
            "joined": joined["seconds"],
            "told": took,
            "untold": len(waiting),
            "by name": found["deliveries"],
            "resets": found["resets"],
            "closed": self._load.closed,
            "refused": self._load.refused,
            "client cpu": (time.process_time() - used) / took,
        }

    def use_tickets(self) -> dict[str, Any]:
        """Let clients of the dialect `users` send tickets from here on."""
        from django.conf import settings

        from benchmarks.sockets.settings import SECRET_KEY

        settings.configure(SECRET_KEY=SECRET_KEY)
        UserDialect.has_tickets = True
        # Make the imports now, not while clients reconnect.
        dialect("users").opening(0, "")
        return {}

    def be_refused(self, expected: int) -> dict[str, Any]:
        """Wait until `expected` clients were refused; return the seconds, median and maximum."""
        self._until(lambda: self._load.not_allowed >= expected)
        took = sorted(
            each.refused_after for each in self._load.clients.values() if each.refused_after
        )
        if len(took) < expected:
            raise RuntimeError(f"expected {expected} clients to be refused, got {len(took)}")
        return {"refused p50": took[len(took) // 2], "refused max": took[-1]}

    def _join(self, wanted: Sequence[tuple[int, str, int]], window: int) -> dict[str, Any]:
        began, used = time.monotonic(), time.process_time()
        load, before = self._load, self._load.joined
        for number, each in enumerate(wanted):
            self._until(lambda: number - (load.joined - before) < window)  # noqa: B023
            load.open(*each)
        self._until(lambda: load.joined - before == len(wanted))
        if load.joined - before < len(wanted):
            waiting = [each for each in load.clients.values() if not each.is_joined]
            raise RuntimeError(
                f"expected {len(wanted)} clients to be subscribed, got {load.joined - before};"
                f" {load.refused} were refused, {load.closed} disconnected,"
                f" {sum(each.is_open for each in waiting)} of {len(waiting)} have a websocket"
            )
        took = time.monotonic() - began
        return {"seconds": took, "client cpu": (time.process_time() - used) / took}

    def _until(self, is_so: Callable[[], bool]) -> None:
        load = self._load
        before, deadline = _progress(load), time.monotonic() + GIVE_UP_AFTER
        while not is_so() and time.monotonic() < deadline:
            load.poll(0.05)
            if _progress(load) != before:
                before, deadline = _progress(load), time.monotonic() + GIVE_UP_AFTER


def _progress(load: Load) -> tuple[int, ...]:
    return load.joined, load.told, load.not_allowed


def main() -> None:
    """Run commands until standard input ends."""
    peer, port, *cookie = sys.argv[1:]
    allow_many_files()
    # The kept frames form no cycles: collecting would only cause pauses.
    gc.disable()
    load = Load(dialect(peer), int(port), *cookie)
    load.listen_to(sys.stdin.fileno())
    commands = Commands(load)
    while True:
        if not load.poll(1.0):
            continue
        line = sys.stdin.readline()
        if not line:
            return
        asked = json.loads(line)
        answer = getattr(commands, asked.pop("do"))(**asked)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
