"""Create the users of seed.json, and its lists if there are none."""

import json
from datetime import timedelta
from pathlib import Path

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone

from demo_todo.models import TodoList

PASSWORD = "live-demo"  # noqa: S105  # not a secret


class Command(BaseCommand):
    help = "Create the demo's users, and its lists if there are none at all."

    @transaction.atomic
    def handle(self, **options: object) -> None:
        seed = json.loads(Path(__file__).with_suffix(".json").read_text())
        people: dict[str | None, User] = {}
        for username, fields in seed["people"].items():
            fields["password"] = lambda: make_password(PASSWORD)
            people[username], _ = User.objects.get_or_create(fields, username=username)
        for entry in [] if TodoList.objects.exists() else seed["lists"]:
            todo_list = TodoList.objects.create(name=entry["name"])
            for username in entry["members"]:
                todo_list.memberships.create(user=people[username])
            for position, fields in enumerate(entry["tasks"]):
                fields["assignee"] = people.get(fields.get("assignee"))
                if "due" in fields:
                    fields["due"] = timezone.localdate() + timedelta(days=fields["due"])
                todo_list.tasks.create(position=position, **fields)
        self.stdout.write(f"Log in as {', '.join(seed['people'])}: the password is {PASSWORD}.")
