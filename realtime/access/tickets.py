"""Tickets: proof that the server has just shown a user a topic.

A view that watches a topic shows its data, so its page may hear of it. A ticket is signed, and
bound to the user, their session and the topic, so that it opens nothing for another user. It is
short-lived: a page that comes back late fetches another. A ticket opens its topic at once. Where
the topic has a rule, the rule is asked right behind it, and ends the subscription by a no.
`realtime.access.refusals` remembers that no, so that the ticket does not open the topic again.
"""

from __future__ import annotations

from typing import Any

from django.core import signing
from django.http import HttpRequest

from realtime.access.identity import key_of, mark_of
from realtime.conf import conf
from realtime.exceptions import InvalidTopic
from realtime.messages.topics import RESERVED, Topic

SALT = "realtime.ticket"


def ticket(request: HttpRequest, family: str, *parts: object) -> str:
    """Return a ticket for the topic `family:parts`, or for a topic's text, to this request's user.

    It is good for TICKET_AGE seconds, by `subscribe` or the other transports. Call it only behind
    whatever decides that this user may see the data. Raise InvalidTopic for a bare family.
    """
    topic = Topic.of(family, *parts) if parts or ":" not in family else Topic(family)
    if topic.is_family or topic.name == RESERVED:
        raise InvalidTopic(f"expected a topic with a key for a ticket, like list:5, got {topic!r}")
    return sign(topic, *owner_of(request))


async def aticket(request: HttpRequest, family: str, *parts: object) -> str:
    """Return a ticket, from an async view. See `ticket()`."""
    if hasattr(request, "auser"):
        # Not found yet where nobody asked; and to be found without blocking the event loop.
        await request.auser()
    return ticket(request, family, *parts)


def owner_of(request: HttpRequest) -> tuple[str, str]:
    """Return whose tickets a request's are: the user's key, and the mark of the session."""
    # `auser()` keeps the user under another name than `user` does.
    user: Any = getattr(request, "_acached_user", None) or getattr(request, "user", None)
    return key_of(user), mark_of(getattr(request, "session", None))


def sign(topic: Topic, user: str, session: str) -> str:
    """Return a ticket for a topic to a user in a session."""
    return _signer(topic, user, session).sign("").removeprefix(":")


def holds(text: str, topic: str, user: str, session: str) -> bool:
    """Is this a ticket for that topic to that user in that session, and not too old?"""
    try:
        _signer(topic, user, session).unsign(f":{text}", max_age=conf.TICKET_AGE)
    except signing.BadSignature:
        return False
    return True


def _signer(topic: str, user: str, session: str) -> signing.TimestampSigner:
    # What it is bound to need not be said in it, since both sides know: it is part of the salt.
    # The length keeps a user's key, which may be any text, from being taken for more than that.
    owner = f"{len(user)}:{user}:{session}"
    return signing.TimestampSigner(salt=f"{SALT}:{owner}:{topic}")
