"""Changes of users, where their model is tracked: whoever may be here no longer is sent away.

Django's own signals tell of users that are saved or deleted one by one. Here come those that are
written in bulk too, as by `.update(is_active=False)`.
"""

from __future__ import annotations

from collections.abc import Sequence

from invalidation.changes import Change
from realtime.access.signals import any_user_changed, users_changed

LOGIN = frozenset({"last_login"})
"""What each login writes: whoever is here may be so no less than before."""


def users_written(*, changes: Sequence[Change] | None, using: str, **_: object) -> None:
    """Have users looked at again in every process; a receiver of `rows_changed`."""
    if changes is None:
        any_user_changed(using)
    else:
        users_changed([each.pk for each in changes if _matters(each)], using)


def _matters(change: Change) -> bool:
    # As for one that is made: nobody is here as them yet.
    return change.before is not None and change.written != LOGIN
