"""The topics, their rows in the database, and access to them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models import QuerySet

from tests.convergence.board.models import Comment, Share, Task

Row = list[object]

LISTS, PEOPLE = 60, 20
"""The numbers of lists and people; keys count from 1."""
VIEWERS = 4
"""The first so many people are the clients' users."""
SENTINELS = LISTS + 1
"""The list of the sentinel, which no writer writes to."""

TASK_LABEL, COMMENT_LABEL = Task._meta.label_lower, Comment._meta.label_lower


def all_topics() -> list[str]:
    """Return every topic that a client may watch."""
    lists = [f"list:{pk}" for pk in range(1, SENTINELS + 1)]
    people = [f"{kind}:{pk}" for kind in ("user", "comments") for pk in range(1, PEOPLE + 1)]
    return [*lists, *people]


def may_see(viewer: Any, topic: str) -> bool:
    """Return whether a user, who may be anonymous, may see a topic's rows."""
    family, _, key = topic.partition(":")
    return family != "user" or Share.objects.filter(owner=key, viewer=viewer.pk).exists()


def rows_of(topic: str, pks: Collection[str] | None = None) -> dict[str, Row]:
    """Return primary key -> row of a topic's rows now: all, or those of `pks`."""
    family, _, key = topic.partition(":")
    found: QuerySet[Task] | QuerySet[Comment]
    if family == "comments":
        found, shown = Comment.objects.filter(author=key), ("task_id", "text")
    else:
        column = {"list": "list", "user": "assignee"}[family]
        found, shown = Task.objects.filter(**{column: key}), ("list_id", "assignee_id", "title")
    if pks is not None:
        found = found.filter(pk__in=pks)
    return {str(pk): row for pk, *row in found.values_list("pk", *shown)}
