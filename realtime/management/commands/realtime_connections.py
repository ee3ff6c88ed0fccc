"""`manage.py realtime_connections`: print the connections and their waiting messages."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from msgspec.structs import asdict

from realtime.ops.clients import Client, Clients
from realtime.ops.command import AskingCommand, lasting

HEADS = (
    *("connection", "user", "transport", "age", "topics", "waiting", "held back", "pong"),
    "process",
)


class Command(AskingCommand):
    """Prints the connections of all processes; those with the most waiting rows first."""

    help = "Print the connections and their waiting topics, rows and frames."
    takes_limit = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --user."""
        super().add_arguments(parser)
        what = "print only the connections of the user with this primary key"
        parser.add_argument("--user", metavar="PK", help=what)

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask all processes; print their connections, those with the most waiting rows first."""
        limit = options["limit"]
        answers = self.ask("connections", Clients, options, limit=limit, user=options["user"])
        found = [(each, answer.process) for answer in answers for each in answer.connections]
        found.sort(key=lambda row: _weight(row[0]), reverse=True)
        left_off = max(sum(answer.total for answer in answers) - limit, 0)
        if options["json"]:
            rows = [asdict(client) | {"process": process} for client, process in found[:limit]]
            processes = [answer.process for answer in answers]
            self.print_json({"processes": processes, "connections": rows, "left_off": left_off})
            return
        self.print_table(HEADS, (_row(client, process) for client, process in found[:limit]))
        self.print_left_off(left_off)


def _weight(client: Client) -> tuple[int, int, float]:
    return client.waiting_rows, client.waiting_topics, client.seconds


def _row(client: Client, process: str) -> tuple[object, ...]:
    waiting = f"{client.waiting_topics}/{client.waiting_rows}/{client.waiting_frames}"
    return (
        client.id,
        client.user or "-",
        client.transport,
        lasting(client.seconds),
        client.topics,
        waiting,
        "yes" if client.held_back else "no",
        "-" if client.pong is None else lasting(client.pong),
        process,
    )
