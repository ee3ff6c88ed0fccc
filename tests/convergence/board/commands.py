"""Commands of the harness in a Django process: `python -m tests.convergence.board.commands`.

Each line of its input is a command, and its result is printed as a line of JSON. Between commands
the process has no database connection and runs no relay: the round's relays send the outbox.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable

import django
from django.core.management import call_command
from django.db import connection, connections

DELIVERED_WITHIN = 30.0


def prepare() -> object:
    """Create the tables and the first rows; return facts about database and backend."""
    from realtime.backends import get_pubsub
    from tests.convergence.board.models import Comment, List, Person, Share, Task
    from tests.convergence.board.topics import LISTS, PEOPLE, SENTINELS, VIEWERS

    call_command("migrate", run_syncdb=True, verbosity=0)
    draw = random.Random(0)
    List.objects.bulk_create(List(pk=pk, name=f"list {pk}") for pk in range(1, SENTINELS + 1))
    Person.objects.bulk_create(Person(pk=pk, name=f"person {pk}") for pk in range(1, PEOPLE + 1))
    pairs = [(owner, each) for owner in range(1, PEOPLE + 1) for each in range(1, VIEWERS + 1)]
    open_ones = draw.sample(pairs, len(pairs) * 3 // 4)
    Share.objects.bulk_create(Share(owner_id=owner, viewer_id=each) for owner, each in open_ones)
    tasks = Task.objects.bulk_create(
        Task(
            list_id=draw.randint(1, LISTS),
            assignee_id=draw.choice([None, draw.randint(1, PEOPLE)]),
            title=f"first {number}",
        )
        for number in range(5 * LISTS)
    )
    Comment.objects.bulk_create(
        Comment(task=draw.choice(tasks), author_id=draw.randint(1, PEOPLE), text=f"first {number}")
        for number in range(5 * PEOPLE)
    )
    version = ".".join(map(str, connection.get_database_version()))
    return {
        "database": f"{connection.display_name} {version}",
        "replays": get_pubsub().supports_replay,
    }


def close() -> object:
    """Revoke all access to the tasks of half of the people; return their keys."""
    from tests.convergence.board.models import Share
    from tests.convergence.board.topics import PEOPLE

    owners = list(range(1, PEOPLE + 1, 2))
    Share.objects.filter(owner__in=owners).delete()
    return owners


def sentinel() -> object:
    """Write the sentinel, the row that every client waits for; return its key."""
    from tests.convergence.board.models import Task
    from tests.convergence.board.topics import SENTINELS

    return str(Task.objects.create(list_id=SENTINELS, title="the last").pk)


def deliver() -> object:
    """Wait until the outbox is empty; return the number of records in it after a timeout."""
    from realtime.models import OutboxRecord

    deadline = time.monotonic() + DELIVERED_WITHIN
    while (left := OutboxRecord.objects.count()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def truth() -> object:
    """Return the rows of every topic, and the topics that are hidden from each viewer."""
    from tests.convergence.board.models import Person
    from tests.convergence.board.topics import VIEWERS, all_topics, may_see, rows_of

    topics = all_topics()
    viewers = Person.objects.filter(pk__lte=VIEWERS)
    hidden = {
        str(viewer.pk): [topic for topic in topics if not may_see(viewer, topic)]
        for viewer in viewers
    }
    return {"rows": {topic: rows_of(topic) for topic in topics}, "hidden": hidden}


def choice() -> object:
    """Return every topic, the sentinels' last, and the viewers' keys."""
    from tests.convergence.board.topics import SENTINELS, VIEWERS, all_topics

    topics = sorted(all_topics(), key=lambda topic: topic == f"list:{SENTINELS}")
    return {"topics": topics, "viewers": [str(pk) for pk in range(1, VIEWERS + 1)]}


COMMANDS: dict[str, Callable[[], object]] = {
    "choice": choice,
    "close": close,
    "deliver": deliver,
    "prepare": prepare,
    "sentinel": sentinel,
    "truth": truth,
}


def main() -> None:
    """Run commands until the input ends."""
    django.setup()
    from realtime.backends.outbox import flush_relay, stop_relay

    for line in sys.stdin:
        print(json.dumps(COMMANDS[line.strip()]()), flush=True)
        flush_relay()
        stop_relay()
        connections.close_all()


if __name__ == "__main__":
    main()
