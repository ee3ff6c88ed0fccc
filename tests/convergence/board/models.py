"""Tasks of lists and of people, and what people say about them."""

from __future__ import annotations

from django.db import models


class Person(models.Model):
    """Whose tasks and comments they are, and who looks at them. Not tracked."""

    name = models.CharField(max_length=50)
    is_authenticated = True


class Share(models.Model):
    """Lets a person see another's tasks. There may be several; one is enough."""

    owner = models.ForeignKey(Person, models.CASCADE, related_name="+")
    viewer = models.ForeignKey(Person, models.CASCADE, related_name="+")


class List(models.Model):
    """Where a task stands. Not tracked."""

    name = models.CharField(max_length=50)


class Task(models.Model):
    """A row of two topics: its list's, and its person's if it has one."""

    list = models.ForeignKey(List, models.CASCADE)
    assignee = models.ForeignKey(Person, models.SET_NULL, null=True)
    title = models.CharField(max_length=100)


class Comment(models.Model):
    """Goes with its task, and is shown to its author."""

    task = models.ForeignKey(Task, models.CASCADE)
    author = models.ForeignKey(Person, models.CASCADE)
    text = models.CharField(max_length=100)
