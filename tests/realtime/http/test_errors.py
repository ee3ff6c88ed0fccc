"""Refusals over HTTP, and their form."""

from __future__ import annotations

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.test import RequestFactory, override_settings

from realtime.access import allow
from realtime.access.identity import identify
from realtime.access.tickets import sign
from realtime.server import server_of
from realtime.transports.poll import poll_changes
from realtime.urls import urlpatterns
from tests.realtime.http.requests import Request, answer, asking, query
from tests.realtime.live_client import cookie_of
from tests.realtime.websocket.telling import SENTINEL

pytestmark = pytest.mark.django_db(transaction=True)

both = pytest.mark.parametrize("path", ["sse", "changes"])


async def code(user: User | None, path: str, **headers: str) -> tuple[int, str]:
    """Return the status, and the error's code."""
    status, found = await answer(user, path, {n.replace("_", "-"): v for n, v in headers.items()})
    assert found["error"]["message"]
    return status, found["error"]["code"]


@both
async def test_a_request_names_topics(ada: User, path: str) -> None:
    """A request without topics is refused."""
    assert await code(ada, query(path)) == (400, "no-topic")


@pytest.mark.parametrize("wait", ["soon", "-1", "nan", ""])
async def test_a_wait_is_a_number_of_seconds(ada: User, wait: str) -> None:
    """The error says what was expected."""
    assert await code(ada, query("changes", SENTINEL, wait=wait)) == (400, "bad-wait")


@both
@override_settings(DATA_UPLOAD_MAX_NUMBER_FIELDS=3)
async def test_more_fields_than_a_project_allows_are_refused(ada: User, path: str) -> None:
    """As JSON, like all other errors."""
    assert (await code(ada, query(path, *"abcde")))[1] == "bad-query"


@both
async def test_no_client_is_redirected_to_a_login(path: str) -> None:
    """No redirect to a login page, which a program would take for an answer."""
    assert await code(None, query(path, SENTINEL)) == (401, "not-authenticated")


@both
@pytest.mark.parametrize(
    "topic", ["list:999999", "list:", "list", "list:x", "list:05", "nobody:5", "", "Ünfug:%zz"]
)
async def test_every_refusal_looks_the_same(ada: User, path: str, topic: str) -> None:
    """It names the refused topics, and no others."""
    status, found = await answer(ada, query(path, SENTINEL, topic))

    assert (status, found["error"]["topics"]) == (403, [topic])
    assert not server_of().hub._subscribers.wanted()


@both
@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"sec_fetch_site": "cross-site"}, False),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://["}, False),
        ({"origin": "http://localhost", "sec_fetch_site": "same-origin"}, True),
        ({"sec_fetch_site": "none"}, True),
    ],
)
async def test_another_sites_page_may_not_ask(
    ada: User, path: str, headers: dict[str, str], allowed: bool
) -> None:
    """It could not read the answer, but use up the places of its visitors."""
    found = await code(ada, query(path, "list:999999"), **headers)

    assert found == (403, "not-allowed" if allowed else "foreign-origin")


@both
@pytest.mark.parametrize("method", ["POST", "HEAD", "DELETE", "OPTIONS"])
async def test_only_get_is_allowed(ada: User, path: str, method: str) -> None:
    """Clients only receive."""
    async with asking(ada, query(path, SENTINEL), method=method) as request:
        await request.answered()

    assert (request.status, request.headers["Allow"]) == (405, "GET")


@both
@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("MAX_SUBSCRIPTIONS", 1, (429, "too-many")),
        ("MAX_TOPIC_LENGTH", 5, (429, "too-many")),
        ("MAX_CONNECTIONS", 0, (503, "full")),
        ("HANDSHAKE_TIMEOUT", 1e-9, (503, "busy")),
    ],
)
async def test_limits_are_those_of_the_websocket(
    ada: User, path: str, setting: str, value: float, expected: tuple[int, str]
) -> None:
    """With Retry-After."""
    with override_settings(REALTIME={setting: value}):
        async with asking(ada, query(path, SENTINEL, "sentinel:2")) as request:
            await request.answered()
            found = await request.json()

    assert (request.status, found["error"]["code"]) == expected
    assert int(request.headers["Retry-After"]) > 0
    assert not len(server_of().connections)
    assert not server_of().connections._taken


@both
async def test_a_ticket_opens_what_has_no_rule(ada: User, path: str) -> None:
    """Each ticket is tried for each topic; another user's opens none."""
    cookie = await cookie_of(ada)
    mark = (await identify({"headers": [(b"cookie", cookie)]})).session
    tickets = [sign(topic, str(ada.pk), mark) for topic in ("shown:1", "shown:2")]
    foreign = sign("shown:3", "0", mark)
    asked = query(path, "shown:1", "shown:2", ticket=[*tickets, foreign])

    request = await Request(asked, {"cookie": cookie.decode()}).begin()
    assert (await request.answered()).status == 200
    await request.disconnect()
    asked = query(path, "shown:1", "shown:3", ticket=[*tickets, foreign])
    request = await Request(asked, {"cookie": cookie.decode()}).begin()
    assert (await request.answered()).status == 403
    assert (await request.json())["error"]["topics"] == ["shown:3"]
    await request.disconnect()


@both
async def test_admission_has_a_deadline(
    ada: User, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule that depends on a topic is asked once the backend watches that topic."""

    async def wait(*_: object) -> None:
        await asyncio.Event().wait()

    allow("deep", depends=lambda user, key: ["sentinel:1"])(lambda user, key: True)
    monkeypatch.setattr(type(server_of().hub), "subscribe", wait)
    monkeypatch.setattr("realtime.transports.http.ADMIT_TIMEOUT", 0.05)

    assert await code(ada, query(path, "deep:1")) == (503, "backend-away")


async def test_tickets_are_not_tried_without_end(ada: User) -> None:
    """Trying takes time from all other clients."""
    topics, tickets = [f"a:{n}" for n in range(80)], [f"t{n}" for n in range(80)]

    assert (await code(ada, query("sse", *topics, ticket=tickets)))[0] == 429


def _user_of_header(scope: dict[str, object]) -> User | None:
    """Find a user by a program's header."""
    headers = dict(scope["headers"])  # type: ignore[call-overload]
    return User.objects.get(username="ada") if headers.get(b"x-token") == b"secret" else None


@both
async def test_a_project_finds_its_users_itself(ada: User, path: str) -> None:
    """By the scope of the request, as by that of a socket."""
    with override_settings(REALTIME={"AUTHENTICATE": f"{__name__}._user_of_header"}):
        assert (await code(None, query(path, SENTINEL)))[0] == 401
        async with asking(None, query(path, SENTINEL), {"x-token": "secret"}) as request:
            assert (await request.answered()).status == 200


@pytest.mark.parametrize("pattern", urlpatterns, ids=lambda each: each.name)
async def test_under_wsgi_it_says_what_is_needed(pattern: object) -> None:
    """A stream would occupy a worker for each client."""
    request = RequestFactory().get("/live/")

    response = await pattern.callback(request)  # type: ignore[attr-defined]

    assert response.status_code == 501
    assert b"ASGI" in response.content


async def test_projects_may_have_their_requests_in_transactions(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not these: they run long, and Django refuses to wrap async views."""
    from django.db import connections

    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    assert (await answer(ada, query("changes", SENTINEL)))[0] == 200
    assert poll_changes.csrf_exempt
    await sync_to_async(connections.close_all)()
