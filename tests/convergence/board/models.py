"""Lists, people, their tasks, and comments on tasks."""

from __future__ import annotations

from django.db import models


class Person(models.Model):
    """An owner of tasks and comments, or a viewer of them. Not tracked."""

    name = models.CharField(max_length=50)
    is_authenticated = True


class Share(models.Model):
    """Lets a viewer see an owner's tasks. There may be several of a pair."""

    owner = models.ForeignKey(Person, models.CASCADE, related_name="+")
    viewer = models.ForeignKey(Person, models.CASCADE, related_name="+")


class List(models.Model):
    """A list of tasks. Not tracked."""

    name = models.CharField(max_length=50)


class Task(models.Model):
    """A row of its list's topic, and of its assignee's topic if it has one."""

    list = models.ForeignKey(List, models.CASCADE)
    assignee = models.ForeignKey(Person, models.SET_NULL, null=True)
    title = models.CharField(max_length=100)


class Comment(models.Model):
    """A row of its author's topic; deleted with its task."""

    task = models.ForeignKey(Task, models.CASCADE)
    author = models.ForeignKey(Person, models.CASCADE)
    text = models.CharField(max_length=100)
