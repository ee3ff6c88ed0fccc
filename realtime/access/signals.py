"""Send messages about logouts and changes of users, which may end connections.

They go to one topic, which every process watches and no client may watch. They name the user or
session, not the change: see `realtime.connections.revocation`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest

from realtime.access.identity import key_of, session_mark
from realtime.messages.message import Message, Reset
from realtime.messages.topics import RESERVED, Topic
from realtime.publish import publish

CONCERNED = Topic.of(RESERVED, "access")

USER, SESSION = "user", "session"
"""The labels under which a message names users and sessions."""


def logged_out(*, request: HttpRequest | None, user: Any, **_: object) -> None:
    """Send that a session ended; a receiver of Django's `user_logged_out`."""
    mark = session_mark(getattr(request, "session", None))
    if mark:
        publish([Message(CONCERNED, {SESSION: {mark: "left"}})])
    elif user is not None:
        user_changed(instance=user)


def user_changed(
    *,
    instance: Any,
    created: bool = False,
    update_fields: Iterable[str] | None = None,
    **_: object,
) -> None:
    """Send that a user changed; a receiver of Django's `post_save` and `post_delete`."""
    is_login = update_fields is not None and set(update_fields) <= {"last_login"}
    if created or is_login:
        return  # A new user has no connections; a login takes no permission away.
    users_changed([key_of(instance)], using=instance._state.db)


def users_changed(keys: Iterable[str], using: str | None = None) -> None:
    """Send on commit that the users with these primary keys changed."""
    rows = {key: "updated" for key in keys if key}
    if rows:
        publish([Message(CONCERNED, {USER: rows})], using=using)  # type: ignore[dict-item]


def any_user_changed(using: str | None = None) -> None:
    """Send on commit that any user may have changed: all connections are authorised again."""
    publish([Message(CONCERNED, reset=Reset.BULK)], using=using)
