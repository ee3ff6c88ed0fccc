"""`manage.py realtime_tail TOPIC…`: print messages as they arrive."""

from __future__ import annotations

import asyncio
import json
import signal
from argparse import ArgumentParser
from contextlib import suppress
from typing import Any

from django.core.management import BaseCommand, CommandError

from realtime.exceptions import InvalidCursor, InvalidTopic
from realtime.messages.message import Message
from realtime.server import close_server, listen


class Command(BaseCommand):
    """Prints the messages of some topics, as a subscriber receives them, until interrupted."""

    help = "Print the messages of some topics as they arrive. Ctrl-C ends it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the topics, the position to begin after, and the format."""
        parser.add_argument("topics", nargs="+", metavar="TOPIC", help="such as list:5")
        parser.add_argument("--since", metavar="CURSOR", help="begin after this position")
        parser.add_argument("--json", action="store_true", help="print a JSON object a line")

    def handle(self, *args: Any, **options: Any) -> None:
        """Listen until SIGINT, which Ctrl-C sends, or SIGTERM."""
        try:
            with suppress(KeyboardInterrupt, asyncio.CancelledError):
                asyncio.run(self._tail(options["topics"], options["since"], options["json"]))
        except (InvalidTopic, InvalidCursor) as error:
            raise CommandError(str(error)) from error

    async def _tail(self, topics: list[str], since: str | None, as_json: bool) -> None:
        spell = _json if as_json else _line
        _end_by_signals()
        try:
            async for message in listen(topics, since):
                self.stdout.write(spell(message))
                self.stdout.flush()
        finally:
            await close_server()


def _end_by_signals() -> None:
    """Cancel the running task on a signal, even if the shell has set SIGINT to be ignored."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        # The loops of some platforms cannot: there Ctrl-C raises KeyboardInterrupt.
        with suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)


def _line(message: Message) -> str:
    behind = f"  {message.cursor}" if message.cursor else ""
    if message.reset:
        return f"{message.topic}  reset: {message.reset}{behind}"
    rows = [
        f"{label} {pk} {verb}"
        for label, changes in message.changes.items()
        for pk, verb in changes.items()
    ]
    return f"{message.topic}  {', '.join(rows) or 'no changes'}{behind}"


def _json(message: Message) -> str:
    changes = {label: dict(rows) for label, rows in message.changes.items()}
    return json.dumps(
        {
            "topic": message.topic,
            "changes": changes,
            "reset": message.reset,
            "cursor": str(message.cursor) if message.cursor else None,
        }
    )
