"""`manage.py realtime_connection ID`: print one connection and its topics."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management import CommandError

from realtime.ops.clients import Client, OneClient, Watch
from realtime.ops.command import AskingCommand, lasting

HEADS = ("topic", "rows waiting", "state", "sent up to")


class Command(AskingCommand):
    """Prints one connection with its topics, positions and waiting messages, from its process."""

    help = "Print one connection with its topics, their positions and its waiting messages."
    takes_limit = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the connection's id."""
        super().add_arguments(parser)
        what = (
            "the id in the frame `welcome` and in realtime_connections; behind `--` if it begins"
            " with a dash"
        )
        parser.add_argument("id", metavar="ID", help=what)

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask all processes, and print the answer of the one that has the connection."""
        more: dict[str, Any] = {"limit": options["limit"], "id": options["id"]}
        answers = self.ask("connection", OneClient, options, enough=_has_it, **more)
        found = next(filter(_has_it, answers), None)
        if found is None or found.connection is None:
            processes = ", ".join(answer.process for answer in answers)
            raise CommandError(f"none of {processes} has a connection {options['id']!r}")
        if options["json"]:
            self.print_json(found)
            return
        for name, value in _facts(found.connection, found.process):
            self.stdout.write(f"{name:<12}{value}")
        if found.watches:
            self.stdout.write("")
            self.print_table(HEADS, map(_row, found.watches))
        self.print_left_off(found.connection.topics - len(found.watches))


def _has_it(answer: OneClient) -> bool:
    return answer.connection is not None


def _facts(client: Client, process: str) -> list[tuple[str, str]]:
    waiting = f"{client.waiting_topics} topics, {client.waiting_rows} rows"
    pong = "" if client.pong is None else f"; last pong {lasting(client.pong)} ago"
    held = "held back until the client confirms the data sent" if client.held_back else "open"
    return [
        ("process", process),
        ("user", client.user or "anonymous"),
        ("transport", f"{client.transport}, {held}{pong}"),
        ("age", lasting(client.seconds)),
        ("waiting", f"{waiting}, {client.waiting_frames} frames"),
        ("topics", str(client.topics)),
    ]


def _row(watch: Watch) -> tuple[str, ...]:
    waiting = "-" if watch.waiting_rows is None else str(watch.waiting_rows)
    states = {"pending": watch.pending, "in doubt": watch.in_doubt, "held": watch.held}
    state = ", ".join(name for name, holds in states.items() if holds) or "live"
    return (watch.topic, waiting, state, watch.cursor or "-")
