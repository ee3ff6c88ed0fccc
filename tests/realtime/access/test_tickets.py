"""Tickets: the topics that one opens, its user and its age."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.base import SessionBase
from django.core import signing
from django.http import HttpRequest
from django.test import override_settings

from realtime.access import allow, aticket, ticket
from realtime.access.identity import Identity
from realtime.access.tickets import owner_of
from realtime.connections.connection import Connection
from realtime.exceptions import InvalidTopic
from realtime.hub.hub import Hub
from tests.realtime.access.conftest import Who
from tests.realtime.transports import FakeTransport, ticket_checks_of

PAGE = "page:1"
COOKIES = "django.contrib.sessions.backends.signed_cookies"


class Session(SessionBase):
    """A session that exists."""

    def load(self) -> dict[str, Any]:
        return {}


def request_of(user: object, session: SessionBase | None = None) -> HttpRequest:
    request = HttpRequest()
    request.user = user  # type: ignore[assignment]
    # Not `session or …`: in some versions of Django an empty session is false.
    request.session = Session("a" * 32) if session is None else session  # type: ignore[assignment]
    return request


ADA = request_of(Who("1"))


@pytest.fixture
def opens(hub: Hub) -> Any:
    """Return whether a ticket opens a topic to the user and session of a request."""

    async def ask(text: str, request: HttpRequest = ADA, topic: str = PAGE) -> bool:
        session = owner_of(request)[1]
        identity = Identity({}, request.user, session)
        connection = Connection(identity, hub, FakeTransport(), ticket_checks_of(hub))
        opened = connection.authorization.open({topic: (text,)})
        granted = opened or await connection.authorization.ask([topic])
        await connection.let_go()
        return granted == [topic]

    return ask


async def test_a_ticket_opens_a_topic_without_a_rule(opens: Any) -> None:
    """To its own user, in their session."""
    assert await opens(ticket(ADA, "page", 1))
    assert await opens(ticket(ADA, PAGE))
    assert await opens(await aticket(ADA, PAGE))
    assert not await opens("")


async def test_a_ticket_opens_nothing_else(opens: Any) -> None:
    """To another user, in another session of hers, or for another topic."""
    mine = ticket(ADA, PAGE)

    assert not await opens(mine, request_of(Who("2")))
    assert not await opens(mine, request_of(AnonymousUser()))
    assert not await opens(mine, request_of(Who("1"), Session("b" * 32)))
    assert not await opens(mine, topic="page:2")
    assert not await opens(mine, topic="page:1/1")


@pytest.mark.parametrize(
    ("pk", "topic", "other", "its"), [("1", "a:1", "1:", "a:1"), ("2:1:", "a:1", "2", "a:1")]
)
async def test_a_users_key_cannot_imitate_a_session(
    opens: Any, pk: str, topic: str, other: str, its: str
) -> None:
    """Keys may be any text."""
    assert not await opens(ticket(request_of(Who(pk)), topic), request_of(Who(other)), its)


async def test_a_ticket_that_was_tampered_with_opens_nothing(opens: Any) -> None:
    """Forged, cut, or with another time."""
    good = ticket(ADA, PAGE)
    time, _, signature = good.partition(":")

    for bad in (
        good[:-1],
        good[1:],
        good + "x",
        signature,
        f"{time}0:{signature}",
        f"zzzzzz:{signature}",
        f"{time}:{signature.swapcase()}",
        f":{good}",
        "ü:ü",
        "\x00",
        "a" * 10_000,
        signing.TimestampSigner(key="guess", salt="realtime.ticket").sign(""),
    ):
        assert not await opens(bad), bad


async def test_a_ticket_expires(opens: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """After TICKET_AGE."""
    good = ticket(ADA, PAGE)
    now = signing.time.time()

    monkeypatch.setattr(signing.time, "time", lambda: now + 599)
    assert await opens(good)
    monkeypatch.setattr(signing.time, "time", lambda: now + 601)
    assert not await opens(good)
    with override_settings(REALTIME={"TICKET_AGE": 700}):
        assert await opens(good)


async def test_a_ticket_outlives_a_new_secret_key(opens: Any) -> None:
    """If the old one is among SECRET_KEY_FALLBACKS, and only then."""
    with override_settings(SECRET_KEY="old"):
        good = ticket(ADA, PAGE)

        # The session's mark changes with the key too: the ticket is valid for the same mark.
        with override_settings(SECRET_KEY="new"):
            assert not await opens(good)


async def test_a_ticket_opens_no_key_that_its_rule_could_not_be_asked_about(opens: Any) -> None:
    """No rule could be asked after it."""
    allow("number")(number)
    for topic in ("number:x", "number:01"):
        assert not await opens(ticket(ADA, topic), topic=topic), topic


def number(user: object, key: int) -> bool:
    return True


@pytest.mark.parametrize("topic", ["list:", "object:a.b/", "realtime:access", "realtime:status"])
async def test_there_are_no_tickets_for_families_and_reserved_topics(
    opens: Any, topic: str
) -> None:
    """A forged one would open nothing."""
    from realtime.access.tickets import sign
    from realtime.messages.topics import Topic

    with pytest.raises(InvalidTopic):
        ticket(ADA, topic)
    assert not await opens(sign(Topic(topic), *owner_of(ADA)), topic=topic)


async def test_anonymous_tickets_are_bound_to_the_session(opens: Any) -> None:
    """Without a session, they are valid for all requests without one."""
    nobody, other = AnonymousUser(), Session("b" * 32)

    good = ticket(request_of(nobody), PAGE)
    assert await opens(good, request_of(nobody))
    assert not await opens(good, request_of(nobody, other))
    assert not await opens(good, request_of(nobody, Session()))

    good = ticket(request_of(nobody, Session()), PAGE)
    assert await opens(good, request_of(nobody, Session()))
    assert not await opens(good, request_of(nobody, other))
    assert not await opens(good, request_of(Who("1"), Session()))


@override_settings(SESSION_ENGINE=COOKIES)
async def test_tickets_of_sessions_in_cookies_last_while_the_password_does(opens: Any) -> None:
    """The session's mark follows from the password."""

    def session(password: str, **more: str) -> SessionBase:
        found: SessionBase = import_module(COOKIES).SessionStore()
        found["_auth_user_hash"] = password
        found.update(more)
        found.save()
        return found

    good = ticket(request_of(Who("1"), session("hash")), PAGE)

    assert await opens(good, request_of(Who("1"), session("hash", theme="dark")))
    assert not await opens(good, request_of(Who("1"), session("other")))
    assert not await opens(good, request_of(Who("2"), session("hash")))


async def test_a_bad_ticket_leaves_the_rule_asked(opens: Any) -> None:
    """The rule is asked as if there were no ticket."""
    allow("list")(lambda user, key: True)

    assert await opens("nonsense", topic="list:1")
