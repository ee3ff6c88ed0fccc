"""One table three times: untracked, tracked, and tracked without images."""

from __future__ import annotations

from django.db import models


class Person(models.Model):
    name = models.CharField(max_length=50)

    def __str__(self) -> str:
        return self.name


class List(models.Model):
    name = models.CharField(max_length=50)

    def __str__(self) -> str:
        return self.name


class Task(models.Model):
    """The columns, which are the same in all three tables."""

    list = models.ForeignKey(List, models.CASCADE, related_name="+")
    assignee = models.ForeignKey(Person, models.CASCADE, null=True, related_name="+")
    title = models.CharField(max_length=200)
    position = models.IntegerField(default=0)
    done = models.BooleanField(default=False)
    note = models.TextField(default="")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.title


class Untracked(Task):
    pass


class Tracked(Task):
    pass


class Imageless(Task):
    pass
