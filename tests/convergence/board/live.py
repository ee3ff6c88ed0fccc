"""What the board's rows belong to, and who may watch."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from invalidation import track
from realtime import allow
from tests.convergence.board.models import Comment, List, Share, Task
from tests.convergence.board.topics import may_see
from tests.convergence.sabotage import NO_DEPENDS

track(Task, "list:{list_id}", "user:{assignee_id}")
track(Share, "shares:{owner_id}")
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


def shares_of(user: Any, pk: int) -> list[str]:
    """Say on what it depends who may watch a person's tasks."""
    return [] if settings.SITE.sabotage == NO_DEPENDS else [f"shares:{pk}"]


@allow("user", depends=shares_of)
def may_watch_user(user: Any, pk: int) -> bool:
    """Ask the database: whose answer changes all the time."""
    return may_see(user, f"user:{pk}")


# Comments have no rule: the pages that show them bring tickets.
