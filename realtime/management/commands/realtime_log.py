"""`manage.py realtime_log LEVEL`: set a logger's level in running processes for some minutes."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management import CommandError

from realtime.ops.command import AskingCommand, seconds
from realtime.ops.log_level import LEVELS, LOGGERS, Level, is_ours


class Command(AskingCommand):
    """Sets the level of this project's loggers in all serving processes, for some minutes."""

    help = "Set the level of this project's loggers in the serving processes, for some minutes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the level, the logger and the minutes."""
        super().add_arguments(parser)
        parser.add_argument("level", metavar="LEVEL", type=str.upper, choices=LEVELS)
        known = "; ".join(f"{name}: {what}" for name, what in LOGGERS.items())
        what = f"this logger and all below it (default: realtime). {known}"
        parser.add_argument("--logger", default="realtime", metavar="NAME", help=what)
        what = "minutes until the earlier level returns (default: 10)"
        parser.add_argument("--minutes", type=seconds, default=10.0, help=what)

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask the processes to set the level, and print their replies."""
        if not is_ours(options["logger"]):
            raise CommandError(f"expected a logger like realtime.hub, got {options['logger']!r}")
        asked = {name: options[name] for name in ("level", "logger", "minutes")}
        answers = self.ask("log", Level, options, **asked)
        if options["json"]:
            self.print_json({"processes": answers})
            return
        for each in answers:
            change = f"{each.before} -> {each.level}, for {options['minutes']:g} minutes"
            self.stdout.write(f"{each.process}  {each.logger}: {change}")
