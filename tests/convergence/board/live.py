"""The board's topics, and the rules that say which users may watch them."""

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
    """Allow all users; it queries the database, as most rules do, which may be away."""
    return List.objects.filter(pk=pk).exists()


def shares_of(user: Any, pk: int) -> list[str]:
    """Return the topics on which the rule for a person's tasks depends."""
    return [] if settings.SITE.sabotage == NO_DEPENDS else [f"shares:{pk}"]


@allow("user", depends=shares_of)
def may_watch_user(user: Any, pk: int) -> bool:
    """Allow the users with a share; writers change shares all the time."""
    return may_see(user, f"user:{pk}")


# Comments have no rule: their topics open by the tickets of the pages that show them.
