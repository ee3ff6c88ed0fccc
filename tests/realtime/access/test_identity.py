"""The identity of a client: by Django's session, or by the project's function."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client, override_settings
from django.utils import timezone

from realtime.access.identity import Identity, identify
from tests.realtime.access.conftest import ADA, PATIENCE, Stuck, Who

HERE = "tests.realtime.access.test_identity"
COOKIES = "django.contrib.sessions.backends.signed_cookies"
pytestmark = pytest.mark.django_db(transaction=True)


def scope_of(cookie: str) -> dict[str, Any]:
    return {"type": "websocket", "headers": [(b"cookie", cookie.encode())]}


def logged_in(user: User) -> dict[str, Any]:
    client = Client()
    client.force_login(user)
    return scope_of(f"x=1; {settings.SESSION_COOKIE_NAME}={client.cookies['sessionid'].value}")


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada", password="old")


@pytest.fixture
def scope(ada: User) -> dict[str, Any]:
    return logged_in(ada)


async def test_the_session_names_the_user(ada: User, scope: dict[str, Any]) -> None:
    """With a mark of the session that does not open it."""
    found = await identify(scope)

    assert found.user == ada
    assert not found.is_anonymous
    assert found.key == str(ada.pk)
    assert found.session
    assert found.session not in str(scope)


@pytest.mark.parametrize("cookie", ["", "sessionid=", "sessionid=short", "sessionid=" + "a" * 32])
async def test_without_a_session_the_user_is_anonymous(cookie: str) -> None:
    """Or with a session that does not exist."""
    found = await identify(scope_of(cookie))

    assert found.is_anonymous
    assert (found.key, found.session) == ("", "")


async def end_session(user: User) -> None:
    await Session.objects.all().adelete()


async def expire_session(user: User) -> None:
    await Session.objects.aupdate(expire_date=timezone.now())


async def deactivate(user: User) -> None:
    await User.objects.aupdate(is_active=False)


async def change_password(user: User) -> None:
    user.set_password("new")
    await user.asave()


async def delete(user: User) -> None:
    await user.adelete()


@pytest.mark.parametrize("end", [end_session, expire_session, deactivate, change_password, delete])
async def test_a_user_who_may_not_log_in_any_longer_is_anonymous(
    ada: User, scope: dict[str, Any], end: Any
) -> None:
    """And a second look notices."""
    known = await identify(scope)
    assert await known.look_again()

    await end(ada)

    assert (await identify(scope)).is_anonymous
    assert not await known.look_again()


async def test_a_second_look_loads_the_user_anew(ada: User, scope: dict[str, Any]) -> None:
    """A user object caches permissions."""
    known = await identify(scope)
    await User.objects.aupdate(is_staff=True)

    assert await known.look_again()

    assert known.user.is_staff


async def test_a_session_of_an_older_secret_key_is_valid(ada: User) -> None:
    """While the key is among the fallbacks."""
    old = settings.SECRET_KEY
    scope = await _logged_in(ada)
    with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=[old]):
        assert (await identify(scope)).user == ada
    with override_settings(SECRET_KEY="new"):
        assert (await identify(scope)).is_anonymous


async def _logged_in(user: User) -> dict[str, Any]:
    from asgiref.sync import sync_to_async

    return await sync_to_async(logged_in)(user)


@override_settings(SESSION_ENGINE=COOKIES)
async def test_sessions_in_cookies_have_the_mark_of_their_password(ada: User) -> None:
    """Anonymous ones have no mark: all would have the same."""
    one, two = await _logged_in(ada), await _logged_in(ada)
    assert (await identify(one)).session == (await identify(two)).session != ""
    assert (await identify(scope_of("sessionid=" + "x" * 40))).session == ""


async def by_token(scope: dict[str, Any]) -> Who | None:
    return Who("7") if dict(scope["headers"]).get(b"token") == b"good" else None


def by_token_sync(scope: dict[str, Any]) -> Who | None:
    return Who("7") if dict(scope["headers"]).get(b"token") == b"good" else None


@pytest.mark.parametrize("name", ["by_token", "by_token_sync"])
async def test_a_project_may_find_its_users_itself(name: str) -> None:
    """Sync or async; its function is called again at each look."""
    with override_settings(REALTIME={"AUTHENTICATE": f"{HERE}.{name}"}):
        headers = [(b"token", b"good")]
        found = await identify({"headers": headers})
        assert (found.key, found.is_anonymous) == ("7", False)
        assert await found.look_again()

        headers[0] = (b"token", b"withdrawn")
        assert not await found.look_again()
        assert (await identify({"headers": []})).is_anonymous


async def raises(scope: object) -> None:
    raise RuntimeError("no directory")


async def hangs(scope: object) -> None:
    await asyncio.Event().wait()


def gives_a_coroutine(scope: Any) -> Any:
    return by_token(scope)


@pytest.mark.parametrize(
    ("name", "error"),
    [("raises", RuntimeError), ("hangs", TimeoutError), ("gives_a_coroutine", TypeError)],
)
async def test_an_identity_that_cannot_be_found_raises(name: str, error: type[Exception]) -> None:
    """An error or a timeout neither admits nor keeps a client."""
    with override_settings(REALTIME={"AUTHENTICATE": f"{HERE}.{name}", "RULE_TIMEOUT": 0.1}):
        with pytest.raises(error):
            await asyncio.wait_for(identify({"headers": []}), PATIENCE)
        with pytest.raises(error):
            await asyncio.wait_for(Identity({"headers": []}, ADA, "").look_again(), PATIENCE)


async def test_a_function_that_hangs_in_a_thread_is_given_up(
    stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As rules are."""
    monkeypatch.setattr(f"{HERE}.gives_a_coroutine", lambda scope: stuck(scope, ""))
    authenticate = f"{HERE}.gives_a_coroutine"
    given = override_settings(REALTIME={"AUTHENTICATE": authenticate, "RULE_TIMEOUT": 0.1})
    with given, pytest.raises(TimeoutError):
        await asyncio.wait_for(identify({"headers": []}), PATIENCE)
