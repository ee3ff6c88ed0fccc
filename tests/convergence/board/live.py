"""What the board's rows belong to, and who may watch."""

from __future__ import annotations

from typing import Any

from invalidation import track
from realtime import allow
from tests.convergence.board.models import Comment, List, Person, Task

track(Task, "list:{list_id}", "user:{assignee_id}")
track(
    Comment,
    lambda comment: [f"comments:{comment.author_id}"],
    reads=["author_id"],
    families=["comments"],
)


@allow("list")
def may_watch_list(user: Any, pk: int) -> bool:
    """Ask the database, as most rules do; it may be away."""
    return List.objects.filter(pk=pk).exists()


@allow("user")
def may_watch_user(user: Any, pk: int) -> bool:
    """Ask the database."""
    return Person.objects.filter(pk=pk).exists()


@allow("comments")
def may_watch_comments(user: Any, pk: int) -> bool:
    """Ask nobody."""
    return pk > 0
