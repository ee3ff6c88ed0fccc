"""`manage.py realtime_relay`: send the messages left in the outbox."""

from __future__ import annotations

import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError

from realtime.backends.outbox import ensure_relay, stop_relay
from realtime.backends.outbox.pubsub import OutboxPubSub, project_pubsub
from realtime.backends.outbox.send import send_all
from realtime.backends.outbox.sweep import Sweep
from realtime.exceptions import NotSent


class Command(BaseCommand):
    """Sends the messages that ended processes have left in the outbox, until stopped."""

    help = "Send the messages that ended processes left in the outbox, until SIGTERM or SIGINT."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --once."""
        parser.add_argument(
            "--once",
            action="store_true",
            help="send all messages, then end; fail if the backend does not take them",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Send all messages and end, or sweep until a signal."""
        pubsub = project_pubsub()
        if pubsub is None:
            raise CommandError(
                "expected a backend that sends through the outbox in REALTIME['PUBSUB'];"
                " the one that is set needs no relay"
            )
        if options["once"]:
            self._empty(pubsub)
        else:
            self._run(pubsub)

    def _empty(self, pubsub: OutboxPubSub) -> None:
        sweep = Sweep(lambda messages: send_all(pubsub, messages))
        sent = 0
        try:
            for step in sweep.steps(everything=True):
                sent += step
        except NotSent as error:
            left = sweep.count()
            raise CommandError(
                f"the backend did not take messages: {error}. Sent {sent}, {left} are left"
            ) from error
        if broken := sweep.broken():
            raise CommandError(f"the outbox cannot be read on {', '.join(broken)}. Sent {sent}")
        self.stdout.write(f"Sent {sent}, {sweep.count()} are left.")

    def _run(self, pubsub: OutboxPubSub) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        ensure_relay(pubsub)
        self.stdout.write("Sending the messages left in the outbox.")
        self.stdout.flush()
        stop.wait()
        stop_relay()
