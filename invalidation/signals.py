"""The Django signal for other apps that want to hear what was committed."""

from __future__ import annotations

from collections.abc import Sequence

from django.dispatch import Signal

from invalidation.changes import Change
from realtime.access.signals import any_user_changed, users_changed

rows_changed = Signal()
"""Sent after a commit and before anything is published, once a model that it changed.

`sender` is the model, `using` the database's alias, and `changes` a list of `Change`, one a row; or
None where it is not known which rows changed (bulk writes, raw SQL). A receiver that raises is
logged and harms nobody. Never sent where nothing commits, as in a `TestCase`.
"""


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
