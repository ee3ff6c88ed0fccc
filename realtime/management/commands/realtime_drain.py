"""`manage.py realtime_drain`: move a process's clients to other processes before it ends."""

from __future__ import annotations

import asyncio
import socket
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management import CommandError

from realtime.backends import get_pubsub
from realtime.ops.command import AskingCommand, seconds
from realtime.ops.process import Drained
from realtime.ops.rpc import NotTaken, collect

CHECK_INTERVAL = 0.5
"""Seconds between checks of the connections left."""

GRACE = 15.0
"""Seconds after the draining in which the connections of clients that read nothing end."""


class Command(AskingCommand):
    """Makes processes refuse clients, and close connections so that they reconnect elsewhere."""

    help = (
        "Drain the processes of this host, or others: they refuse new clients, and close their"
        " connections with 4503, so that clients reconnect elsewhere. For a pre-stop hook: --wait."
        " Exits with 0, 1 if connections were left or the backend is away, 2 if no process has"
        " answered."
    )
    takes_process = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the processes, the pace, and whether to wait."""
        super().add_arguments(parser)
        targets = parser.add_mutually_exclusive_group()
        targets.add_argument("--process", metavar="HOST:PID", help="drain only this process")
        what = "drain the processes of this host (default: the host that the command runs on)"
        targets.add_argument("--host", metavar="NAME", help=what)
        targets.add_argument("--all", action="store_true", help="drain all processes")
        what = "close the connections spread over this many seconds (default: 10)"
        parser.add_argument("--seconds", type=seconds, default=10.0, help=what)
        what = f"return when all connections are gone, or {GRACE:g} seconds after --seconds"
        parser.add_argument("--wait", action="store_true", help=what)
        parser.add_argument("--off", action="store_true", help="accept clients again")

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask the processes to drain, print their states, and with --wait wait for the end."""
        target = options["process"] or options["host"] or socket.gethostname()
        options["process"] = "" if options["all"] else target
        asked = {"seconds": options["seconds"], "off": options["off"]}
        answers = self.ask("drain", Drained, options, **asked)
        if not options["json"]:
            for each in answers:
                what = "draining" if each.draining else "accepts clients"
                self.stdout.write(f"{each.process}  {what}; {each.connections} connections")
        left = self._wait(answers, options) if options["wait"] and not options["off"] else None
        if options["json"]:
            self.print_json({"processes": answers} | ({} if left is None else {"left": left}))
        if left:
            raise CommandError(f"{left} connections are left")
        if left == 0 and not options["json"]:
            self.stdout.write("all connections are gone")

    def _wait(self, answers: list[Drained], options: dict[str, Any]) -> int:
        """Wait until the connections have ended; return the number of those left."""
        left = {each.process: each.connections for each in answers}
        deadline = time.monotonic() + options["seconds"] + GRACE
        while any(left.values()) and time.monotonic() < deadline:
            time.sleep(CHECK_INTERVAL)
            left = self._left_now(left, options)
        return sum(left.values())

    @staticmethod
    def _left_now(left: dict[str, int], options: dict[str, Any]) -> dict[str, int]:
        """Return process -> connections left. A process that no longer answers has ended."""
        names = [name for name, count in left.items() if count]
        patience, to = options["timeout"], options["process"]
        asking = collect(get_pubsub(), "drained", Drained, patience, to=to, expected=names)
        try:
            replies = [answer.reply for answer in asyncio.run(asking)]
        except NotTaken:
            return left
        now = {each.process: each.connections for each in replies}
        return {name: now.get(name, 0) for name in names}
