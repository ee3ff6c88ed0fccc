"""`manage.py realtime_topics`: print the watched topics with their subscribers."""

from __future__ import annotations

from typing import Any

from realtime.ops.command import AskingCommand
from realtime.ops.topics import WatchedTopics, together


class Command(AskingCommand):
    """Prints the watched topics, with the subscribers of all processes added up."""

    help = "Print the watched topics, with their numbers of subscribers."
    takes_limit = True

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask all processes, add up their subscribers, and print the topics."""
        limit = options["limit"]
        answers = self.ask("topics", WatchedTopics, options, limit=limit)
        found = together(answers)
        # At least so many: a topic that one process left off may be among those of another.
        left_off = max(len(found), *(answer.total for answer in answers)) - limit
        if options["json"]:
            processes = [answer.process for answer in answers]
            self.print_json(
                {"processes": processes, "topics": found[:limit], "left_off": max(left_off, 0)}
            )
            return
        rows = ((each.topic, each.subscribers) for each in found[:limit])
        self.print_table(("topic", "subscribers"), rows)
        self.print_left_off(left_off)
