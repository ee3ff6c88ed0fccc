"""Tickets: proof that the server has just shown a user a topic.

A view that watches a topic shows its data, so its page may receive the topic's messages. A ticket
is signed, and bound to the user, the session and the topic, so that it is useless to another user.
It expires after TICKET_AGE; a page that reconnects later fetches another. A ticket opens its topic
at once. If the topic has a rule, the rule is asked right afterwards, and a no ends the
subscription. `realtime.access.refusals` remembers the refusal, so that the ticket does not open the
topic again.
"""

from __future__ import annotations

from typing import Any

from django.core import signing
from django.http import HttpRequest

from realtime.access.identity import key_of, session_mark
from realtime.conf import conf
from realtime.exceptions import InvalidTopic
from realtime.messages.topics import RESERVED, Topic

SALT = "realtime.ticket"


def ticket(request: HttpRequest, family: str, *parts: object) -> str:
    """Return a ticket of this request's user for the topic `family:parts`, or for a topic's text.

    It is valid for TICKET_AGE seconds, in `subscribe` frames and on the other transports. Call it
    only after checking that the user may see the data. Raise InvalidTopic for a bare family.
    """
    topic = Topic.of(family, *parts) if parts or ":" not in family else Topic(family)
    if topic.is_family or topic.name == RESERVED:
        raise InvalidTopic(f"expected a topic with a key for a ticket, like list:5, got {topic!r}")
    return sign(topic, *owner_of(request))


async def aticket(request: HttpRequest, family: str, *parts: object) -> str:
    """Return a ticket, in an async view. See `ticket()`."""
    if hasattr(request, "auser"):
        # Load the user, which is lazy, without blocking the event loop.
        await request.auser()
    return ticket(request, family, *parts)


def owner_of(request: HttpRequest) -> tuple[str, str]:
    """Return the owner of a request's tickets: the user's key, and the session's mark."""
    # `auser()` keeps the user under another name than `user` does.
    user: Any = getattr(request, "_acached_user", None) or getattr(request, "user", None)
    return key_of(user), session_mark(getattr(request, "session", None))


def sign(topic: Topic, user: str, session: str) -> str:
    """Return a ticket for a topic, bound to a user's key and a session's mark."""
    return _signer(topic, user, session).sign("").removeprefix(":")


def holds(text: str, topic: str, user: str, session: str) -> bool:
    """Return whether the text is a valid ticket of this user and session for this topic."""
    try:
        _signer(topic, user, session).unsign(f":{text}", max_age=conf.TICKET_AGE)
    except signing.BadSignature:
        return False
    return True


def _signer(topic: str, user: str, session: str) -> signing.TimestampSigner:
    # User, session and topic are known when the ticket is checked: they are in the salt, not in
    # the text. The length separates the user's key, which may be any text, from the session.
    owner = f"{len(user)}:{user}:{session}"
    return signing.TimestampSigner(salt=f"{SALT}:{owner}:{topic}")
