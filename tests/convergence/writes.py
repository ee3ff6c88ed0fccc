"""Random writes, as a project's code would make them. No title is used twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from random import Random
from typing import Any

from django.db import connection

from tests.convergence.board.models import Comment, Task
from tests.convergence.board.topics import LISTS, PEOPLE, SENTINELS
from tests.convergence.sharing import Sharing

MOST_TASKS, MOST_COMMENTS = 8 * LISTS, 8 * PEOPLE
"""Above these numbers of rows, writes that would create rows delete some."""
SHARING = 0.1
"""The part of the writes that grant or revoke access."""


class Writes:
    """One writer's writes. `draw` chooses them; titles begin with the writer's `name`."""

    def __init__(self, draw: Random, name: str) -> None:
        self.draw = draw
        self._name = name
        self._numbers = count()
        self._kept: list[Task] = []
        self._sharing = Sharing(draw)
        self._kinds: Sequence[Callable[[], Any]] = [
            *(self.save, self.save, self.save_an_old_one, self.update, self.move, self.move_all),
            *(self.reassign, self.create, self.create, self.bulk_create, self.bulk_update),
            *(self.update_or_create, self.delete, self.delete_some),
            *(self.comment, self.comment, self.edit_comment, self.hand_over, self.drop_comment),
        ]

    def one(self) -> None:
        """Make one random write."""
        if self.draw.random() < SHARING:
            self._sharing.one()
        else:
            self.draw.choice(self._kinds)()

    def save(self) -> None:
        for task in self._tasks(1):
            task.title = self._title()
            task.save()
            self._kept = [*self._kept[-9:], task]

    def save_an_old_one(self) -> None:
        """Save an object that was read long ago: it overwrites other writers' changes."""
        if self._kept:
            task = self.draw.choice(self._kept)
            task.title = self._title()
            if Task.objects.filter(pk=task.pk).exists():
                task.save(force_update=self.draw.random() < 0.5)

    def update(self) -> None:
        self._some(3).update(title=self._title())

    def move(self) -> None:
        for task in self._tasks(1):
            task.list_id = self._list()
            task.save(update_fields=["list"])

    def move_all(self) -> None:
        """Move all tasks of a list to another."""
        Task.objects.filter(list=self._list()).update(list=self._list(), title=self._title())

    def reassign(self) -> None:
        self._some(2).update(assignee=self._person_or_none())

    def create(self) -> None:
        if Task.objects.count() > MOST_TASKS:
            self._some(12).delete()
        else:
            self._new().save()

    def bulk_create(self) -> None:
        if Task.objects.count() > MOST_TASKS:
            self._some(12).delete()
        else:
            Task.objects.bulk_create([self._new() for _ in range(self.draw.randint(2, 6))])

    def bulk_update(self) -> None:
        tasks = self._tasks(4)
        for task in tasks:
            task.title, task.list_id = self._title(), self._list()
        Task.objects.bulk_update(tasks, ["title", "list"])

    def update_or_create(self) -> None:
        values = {"title": self._title(), "assignee_id": self._person_or_none()}
        pks = [task.pk for task in self._tasks(1)]
        Task.objects.update_or_create(pk__in=pks, defaults={**values, "list_id": self._list()})

    def delete(self) -> None:
        for task in self._tasks(1):
            task.delete()

    def delete_some(self) -> None:
        self._some(3).delete()

    def comment(self) -> None:
        if Comment.objects.count() > MOST_COMMENTS:
            Comment.objects.filter(author=self._person()).delete()
        for task in self._tasks(1):
            Comment.objects.create(task=task, author_id=self._person(), text=self._title())

    def edit_comment(self) -> None:
        for comment in self._comments(1):
            comment.text = self._title()
            comment.save()

    def hand_over(self) -> None:
        """Give comments to another author."""
        pks = [comment.pk for comment in self._comments(2)]
        Comment.objects.filter(pk__in=pks).update(author=self._person(), text=self._title())

    def drop_comment(self) -> None:
        for comment in self._comments(1):
            comment.delete()

    def raw(self) -> None:
        """Write by raw SQL; only comments, since the resets that follow repair stale clients."""
        with connection.cursor() as cursor:
            sql = f"UPDATE {Comment._meta.db_table} SET text = %s WHERE author_id = %s"
            cursor.execute(sql, [self._title(), self._person()])

    def _title(self) -> str:
        return f"{self._name}.{next(self._numbers)}"

    def _new(self) -> Task:
        return Task(list_id=self._list(), assignee_id=self._person_or_none(), title=self._title())

    def _tasks(self, most: int) -> list[Task]:
        return list(self._some(most))

    def _some(self, most: int) -> Any:
        """Return a QuerySet of some random tasks."""
        tasks = Task.objects.exclude(list=SENTINELS).order_by("pk")
        known = list(tasks.values_list("pk", flat=True))
        chosen = self.draw.sample(known, min(len(known), self.draw.randint(1, most)))
        return Task.objects.filter(pk__in=chosen)

    def _comments(self, most: int) -> list[Comment]:
        known = list(Comment.objects.values_list("pk", flat=True).order_by("pk"))
        chosen = self.draw.sample(known, min(len(known), self.draw.randint(1, most)))
        return list(Comment.objects.filter(pk__in=chosen))

    def _list(self) -> int:
        return self.draw.randint(1, LISTS)

    def _person(self) -> int:
        return self.draw.randint(1, PEOPLE)

    def _person_or_none(self) -> int | None:
        return None if self.draw.random() < 0.2 else self._person()
