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
"""Seconds beyond the draining for clients that read nothing to be gone."""


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
        """Add which processes, how fast, and whether to wait."""
        super().add_arguments(parser)
        who = parser.add_mutually_exclusive_group()
        who.add_argument("--process", metavar="HOST:PID", help="this process")
        who.add_argument("--host", metavar="NAME", help="those of this host (default: of this one)")
        who.add_argument("--all", action="store_true", help="all of them")
        what = "spread the closing over so many seconds (default: 10)"
        parser.add_argument("--seconds", type=seconds, default=10.0, help=what)
        what = f"return when all connections are gone, or {GRACE:g} seconds after --seconds"
        parser.add_argument("--wait", action="store_true", help=what)
        parser.add_argument("--off", action="store_true", help="accept clients again")

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask for it, print the processes that drain, and wait if asked to."""
        whom = options["process"] or options["host"] or socket.gethostname()
        options["process"] = "" if options["all"] else whom
        asked = {"seconds": options["seconds"], "off": options["off"]}
        answers = self.ask("drain", Drained, options, **asked)
        if not options["json"]:
            for each in answers:
                what = "draining" if each.draining else "lets clients in"
                self.stdout.write(f"{each.process}  {what}; {each.connections} connections")
        left = self._wait(answers, options) if options["wait"] and not options["off"] else None
        if options["json"]:
            self.print_json({"processes": answers} | ({} if left is None else {"left": left}))
        if left:
            raise CommandError(f"{left} connections are left")
        if left == 0 and not options["json"]:
            self.stdout.write("all connections are gone")

    def _wait(self, answers: list[Drained], options: dict[str, Any]) -> int:
        """Wait until the connections are gone; return how many are left."""
        left = {each.process: each.connections for each in answers}
        deadline = time.monotonic() + options["seconds"] + GRACE
        while any(left.values()) and time.monotonic() < deadline:
            time.sleep(CHECK_INTERVAL)
            left = self._left_now(left, options)
        return sum(left.values())

    @staticmethod
    def _left_now(left: dict[str, int], options: dict[str, Any]) -> dict[str, int]:
        """Return the connections left by process. A process that no longer answers has ended."""
        names = [name for name, count in left.items() if count]
        patience, to = options["timeout"], options["process"]
        asking = collect(get_pubsub(), "drained", Drained, patience, to=to, expected=names)
        try:
            replies = [answer.reply for answer in asyncio.run(asking)]
        except NotTaken:
            return left
        now = {each.process: each.connections for each in replies}
        return {name: now.get(name, 0) for name in names}
