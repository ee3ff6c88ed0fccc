"""The `rows_changed` signal, and the receiver that checks changed users' subscriptions again."""

from __future__ import annotations

from collections.abc import Sequence

from django.dispatch import Signal

from invalidation.changes import Change
from realtime.access.signals import any_user_changed, users_changed

rows_changed = Signal()
"""Sent after a commit, before the messages are published, once for each model that changed.

`sender` is the model, `using` the database's alias, and `changes` a list of `Change`, one a row.
`changes` is None where the rows are unknown (bulk writes, raw SQL). An exception in a receiver is
logged and affects neither the other receivers nor the messages. The signal is not sent where
nothing commits, as in a `TestCase`.
"""


LOGIN_COLUMNS = frozenset({"last_login"})
"""The columns that a login writes. A change of these alone affects no permission."""


def users_written(*, changes: Sequence[Change] | None, using: str, **_: object) -> None:
    """Ask every process to check the changed users' subscriptions again.

    A receiver of `rows_changed`.
    """
    if changes is None:
        any_user_changed(using)
    else:
        users_changed([each.pk for each in changes if _may_change_permissions(each)], using)


def _may_change_permissions(change: Change) -> bool:
    # A new user has no connection yet.
    return change.before is not None and change.written != LOGIN_COLUMNS
