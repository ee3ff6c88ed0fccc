"""Clients that come together are looked up together, and find what each would find alone."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import ThreadSensitiveContext
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, SESSION_KEY
from django.contrib.auth.backends import AllowAllUsersModelBackend, ModelBackend
from django.contrib.auth.models import User, UserManager
from django.contrib.sessions.backends.cache import SessionStore as CacheStore
from django.contrib.sessions.backends.cached_db import SessionStore as CachedStore
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db.backends.utils import CursorWrapper
from django.db.models import QuerySet
from django.test import Client, override_settings
from django.utils import timezone

from realtime.access import identity_loader, identity_queries
from realtime.access.identity import Identity, Scope, identify
from realtime.access.identity_loader import IdentityLoader
from tests.realtime.access.conftest import PATIENCE
from tests.realtime.hub.listening import until

ENGINES = {
    name: f"django.contrib.sessions.backends.{name}"
    for name in ("db", "cache", "cached_db", "signed_cookies", "file")
}
pytestmark = pytest.mark.django_db(transaction=True)

CONTEXT: contextvars.ContextVar[str] = contextvars.ContextVar("tests_tenant", default="")


def scope_of(cookie: str) -> dict[str, Any]:
    text = f"x=1; {settings.SESSION_COOKIE_NAME}={cookie}"
    return {"type": "websocket", "headers": [(b"cookie", text.encode())]}


def user(name: str = "ada") -> User:
    return User.objects.filter(username=name).first() or User.objects.create_user(name)


class Browser:
    """A user who is logged in."""

    def __init__(self, name: str = "ada") -> None:
        self.user = user(name)
        self.client = Client()
        self.client.force_login(self.user)

    @property
    def scope(self) -> dict[str, Any]:
        return scope_of(self.client.cookies[settings.SESSION_COOKIE_NAME].value)

    def set(self, **values: Any) -> Browser:
        """Change the session."""
        session = self.client.session
        session.update(values)
        session.save()
        self.client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
        return self


def of_a_session() -> dict[str, Any]:
    return Browser().scope


def flushed() -> dict[str, Any]:
    browser = Browser("grace")
    scope = browser.scope
    browser.client.logout()
    return scope


def expired() -> dict[str, Any]:
    browser = Browser("late")
    scope = browser.scope
    key = browser.client.session.session_key
    Session.objects.filter(pk=key).update(expire_date=timezone.now() - timedelta(days=1))
    if isinstance(browser.client.session, CacheStore | CachedStore):
        cache.delete(browser.client.session.cache_key)
    return scope


def inactive() -> dict[str, Any]:
    browser = Browser("idle")
    User.objects.filter(pk=browser.user.pk).update(is_active=False)
    return browser.scope


def with_a_new_password() -> dict[str, Any]:
    browser = Browser("careful")
    browser.user.set_password("new")
    browser.user.save()
    return browser.scope


def deleted() -> dict[str, Any]:
    browser = Browser("gone")
    scope = browser.scope
    browser.user.delete()
    return scope


def of_an_older_key() -> dict[str, Any]:
    with override_settings(SECRET_KEY="older"):
        return Browser("faithful").scope


def of_a_key_given_up() -> dict[str, Any]:
    with override_settings(SECRET_KEY="ancient"):
        return Browser("lost").scope


def of_nobody() -> dict[str, Any]:
    browser = Browser("shy")
    browser.client.logout()
    session = browser.client.session
    session["basket"] = [1]
    session.save()
    return scope_of(session.session_key)


def with_a_bad_user() -> dict[str, Any]:
    return Browser("eve").set(**{SESSION_KEY: "no number"}).scope


def with_an_unknown_backend() -> dict[str, Any]:
    return Browser("mallory").set(**{BACKEND_SESSION_KEY: "nowhere.Backend"}).scope


CASES: Sequence[Callable[[], dict[str, Any]]] = (
    of_a_session,
    flushed,
    expired,
    inactive,
    with_a_new_password,
    deleted,
    of_an_older_key,
    of_a_key_given_up,
    of_nobody,
    with_a_bad_user,
    with_an_unknown_backend,
    lambda: scope_of("x" * 32),
    lambda: scope_of("short"),
    lambda: scope_of("!" * 50),
    lambda: scope_of("a" * 300),
    lambda: scope_of(""),
    lambda: {"type": "websocket", "headers": []},
)


def said(found: object) -> object:
    """Return what can be compared."""
    if isinstance(found, Identity):
        return found.key, found.is_anonymous, found.session, type(found.user)
    return type(found)


async def one_by_one(scopes: Sequence[Scope]) -> list[object]:
    return [
        said((await asyncio.gather(identify(each), return_exceptions=True))[0]) for each in scopes
    ]


async def together(loader: IdentityLoader, scopes: Sequence[Scope]) -> list[Any]:
    looking = (loader.identify(each) for each in scopes)
    return await asyncio.wait_for(asyncio.gather(*looking, return_exceptions=True), PATIENCE)


@pytest.fixture
def loader() -> IdentityLoader:
    return IdentityLoader()


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many were looked up together, each time."""
    sizes: list[int] = []
    identify_many = identity_queries.identify_many

    def count(asked: Sequence[Any]) -> Any:
        sizes.append(len(asked))
        return identify_many(asked)

    monkeypatch.setattr(identity_loader, "identify_many", count)
    return sizes


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The queries of all threads."""
    found: list[str] = []
    execute = CursorWrapper.execute

    def note(self: CursorWrapper, sql: str, params: Any = None) -> Any:
        found.append(sql)
        return execute(self, sql, params)

    monkeypatch.setattr(CursorWrapper, "execute", note)
    return found


@pytest.fixture
def engine(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[str]:
    with override_settings(SESSION_ENGINE=ENGINES[request.param], SESSION_FILE_PATH=str(tmp_path)):
        cache.clear()
        yield request.param


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
@override_settings(SECRET_KEY_FALLBACKS=["older"])
async def test_each_finds_what_it_would_find_alone(
    engine: str, loader: IdentityLoader, batches: list[int]
) -> None:
    """Whatever happened to its session and its user; its errors are its own."""
    scopes = await asyncio.to_thread(lambda: [make() for make in CASES])
    scopes += scopes[:1]  # two clients of one session

    found = await together(loader, scopes)

    assert [said(each) for each in found] == await one_by_one(scopes)
    assert found[0].key == found[-1].key != ""
    assert found[0].user is not found[-1].user
    assert bool(batches) is (engine != "file")


@pytest.mark.parametrize("backend", ["ModelBackend", "AllowAllUsersModelBackend"])
async def test_the_backend_says_who_may_log_in(loader: IdentityLoader, backend: str) -> None:
    """One of Django's lets users in who are not active."""
    with override_settings(AUTHENTICATION_BACKENDS=[f"django.contrib.auth.backends.{backend}"]):
        scopes = await asyncio.to_thread(lambda: [inactive(), of_a_session()])
        found = await together(loader, scopes)
        assert [said(each) for each in found] == await one_by_one(scopes)

    assert [each.is_anonymous for each in found] == [backend == "ModelBackend", False]


async def test_many_are_found_by_two_queries(loader: IdentityLoader, queries: list[str]) -> None:
    """One for sessions and one for users, beside what opening a connection takes."""
    scopes = await asyncio.to_thread(lambda: [Browser(f"user{n}").scope for n in range(20)])
    queries.clear()

    found = await together(loader, scopes)

    assert len({each.key for each in found}) == 20
    assert sum("django_session" in sql for sql in queries) == 1
    assert sum("auth_user" in sql for sql in queries) == 1


async def test_one_that_comes_alone_is_looked_up_alone(
    loader: IdentityLoader, batches: list[int]
) -> None:
    """At once."""
    scope = await asyncio.to_thread(of_a_session)

    assert not (await loader.identify(scope)).is_anonymous
    assert batches == []


async def test_users_are_looked_at_again_together(
    loader: IdentityLoader, batches: list[int]
) -> None:
    """As a change of all users, and RECHECK, have it."""
    scopes = await asyncio.to_thread(lambda: [Browser(f"user{n}").scope for n in range(5)])
    found = await together(loader, scopes)
    batches.clear()
    await asyncio.to_thread(User.objects.filter(username="user3").update, is_active=False)

    stay = await asyncio.gather(*(each.look_again() for each in found))

    assert stay == [True, True, True, False, True]
    assert batches == [5]


async def test_clients_of_different_contexts_are_not_looked_up_together(
    loader: IdentityLoader, batches: list[int]
) -> None:
    """A middleware may have set what chooses the database."""
    seen: list[str] = []
    scope = await asyncio.to_thread(of_a_session)

    async def look(tenant: str) -> None:
        CONTEXT.set(tenant)
        await loader.identify(scope)

    def note(function: object) -> Any:
        seen.append(CONTEXT.get())
        return inside(function)

    inside = identity_queries.inside
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identity_queries, "inside", note)
        await asyncio.wait_for(asyncio.gather(*map(look, "abababc")), PATIENCE)

    assert sorted(batches) == [3, 3]
    assert sorted(seen) == ["a", "b"]


async def test_requests_are_looked_up_together_as_sockets_are(
    loader: IdentityLoader, batches: list[int]
) -> None:
    """Though Django gives each a context of its own, which says in which thread to run its code."""
    scope = await asyncio.to_thread(of_a_session)

    async def request() -> Identity:
        async with ThreadSensitiveContext():
            return await loader.identify(scope)

    found = await asyncio.wait_for(asyncio.gather(request(), request()), PATIENCE)

    assert [each.is_anonymous for each in found] == [False, False]
    assert batches == [2]


def fail(*_: object, **__: object) -> Any:
    raise ZeroDivisionError


@pytest.mark.parametrize("error", [ZeroDivisionError, TimeoutError])
async def test_where_a_batch_fails_each_is_looked_up_alone(
    loader: IdentityLoader,
    error: type[Exception],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """And it is logged: it costs more."""

    def fail(*_: object) -> Any:
        raise error

    monkeypatch.setattr(QuerySet, "in_bulk", fail)
    scopes = await asyncio.to_thread(lambda: [Browser(n).scope for n in ("ada", "grace")])
    monkeypatch.setattr(identity_queries, "_looks_up_by_key", lambda backend: True)

    with caplog.at_level(logging.WARNING, "realtime.access"):
        found = await together(loader, scopes)

    assert [each.user.username for each in found] == ["ada", "grace"]
    assert "cannot look up 2 clients together" in caplog.text


async def test_an_error_of_one_client_is_its_own(
    loader: IdentityLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those beside it are found by the same batch."""
    hash_of = User.get_session_auth_hash
    scopes = await asyncio.to_thread(lambda: [Browser(n).scope for n in ("ada", "eve", "grace")])
    monkeypatch.setattr(
        User, "get_session_auth_hash", lambda u: fail() if u.username == "eve" else hash_of(u)
    )

    ada, eve, grace = await together(loader, scopes)

    assert (ada.user.username, grace.user.username) == ("ada", "grace")
    assert isinstance(eve, ZeroDivisionError)


async def test_a_batch_that_hangs_is_overtaken(
    loader: IdentityLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who come behind it do not wait for it."""
    over, hanging = threading.Event(), threading.Event()
    identify_many = identity_queries.identify_many

    def hang_once(asked: Sequence[Any]) -> Any:
        if not hanging.is_set():
            hanging.set()
            over.wait()
        return identify_many(asked)

    monkeypatch.setattr(identity_loader, "identify_many", hang_once)
    scope = await asyncio.to_thread(of_a_session)
    late = asyncio.create_task(together(loader, [scope, scope]))
    await until(hanging.is_set)

    found = await together(loader, [scope, scope])

    assert not late.done()
    over.set()
    assert [said(each) for each in await late] == [said(each) for each in found]


async def test_who_leaves_meanwhile_costs_the_others_nothing(
    loader: IdentityLoader, batches: list[int]
) -> None:
    """Nor is anything left of them."""
    scope = await asyncio.to_thread(of_a_session)
    clients = [asyncio.create_task(loader.identify(scope)) for _ in range(4)]
    await asyncio.sleep(0)
    assert len(loader._waiting) == 4
    clients[0].cancel()
    clients[2].cancel()

    found = await asyncio.wait_for(asyncio.gather(*clients, return_exceptions=True), PATIENCE)

    assert [isinstance(each, asyncio.CancelledError) for each in found] == [
        True,
        False,
        True,
        False,
    ]
    assert batches == [2]
    await until(lambda: not (loader._waiting or loader._looking or loader._running))


@pytest.mark.parametrize("which", ["_running", "_looking"])
async def test_whatever_task_dies_nobody_waits_for_ever(
    loader: IdentityLoader, which: str, stuck: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They get an error; later clients are found."""
    scope = await asyncio.to_thread(of_a_session)
    monkeypatch.setattr(identity_loader, "identify_many", lambda asked: stuck(None, ""))
    looking = asyncio.create_task(together(loader, [scope, scope]))
    await until(lambda: stuck.calls == 1)
    behind = asyncio.create_task(together(loader, [scope, scope]))
    await asyncio.sleep(0)

    for task in [loader._running] if which == "_running" else [*loader._looking]:
        assert task is not None
        task.cancel()
    monkeypatch.undo()

    ended = await (behind if which == "_running" else looking)
    assert [type(each) for each in ended] == [RuntimeError, RuntimeError]
    found = await together(loader, [scope, scope])
    assert [each.is_anonymous for each in found] == [False, False]
    stuck.let_go()
    await asyncio.gather(looking, behind)


async def test_closing_ends_all_look_ups(loader: IdentityLoader, stuck: Any) -> None:
    """Their clients get an error."""
    scope = await asyncio.to_thread(of_a_session)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identity_loader, "identify_many", lambda asked: stuck(None, ""))
        looking = asyncio.create_task(together(loader, [scope, scope]))
        await until(lambda: stuck.calls == 1)
        await loader.close()

    assert [type(each) for each in await looking] == [RuntimeError, RuntimeError]
    assert not loader._looking
    assert not loader._running


class OtherBackend(ModelBackend):
    """Finds users in another way."""

    def get_user(self, user_id: Any) -> Any:
        return None


class OtherManager(UserManager):  # type: ignore[type-arg]
    def get(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError


class OtherQuerySet(QuerySet):  # type: ignore[type-arg]
    def get(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("backend", "manager", "is_djangos"),
    [
        (ModelBackend, UserManager, True),
        (AllowAllUsersModelBackend, UserManager, True),
        (type("Named", (ModelBackend,), {}), UserManager, True),
        (OtherBackend, UserManager, False),
        (type("Strict", (ModelBackend,), {"user_can_authenticate": fail}), UserManager, False),
        (ModelBackend, OtherManager, False),
        (ModelBackend, UserManager.from_queryset(OtherQuerySet), False),
    ],
)
def test_what_a_project_wrote_itself_is_asked_one_by_one(
    backend: type[ModelBackend], manager: Any, is_djangos: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may do anything: find users elsewhere, or let in fewer."""
    made = manager()
    made.model = User
    users = SimpleNamespace(_default_manager=made)
    monkeypatch.setattr(identity_queries, "get_user_model", lambda: users)

    assert identity_queries._looks_up_by_key(backend()) is is_djangos


async def project_user(scope: Scope) -> Any:
    return None


@pytest.mark.parametrize(
    "other",
    [
        {"REALTIME": {"AUTHENTICATE": "tests.realtime.access.test_identity_loader.project_user"}},
        {"SESSION_ENGINE": "tests.realtime.access.other_sessions"},
    ],
    ids=["function", "engine"],
)
def test_how_a_project_finds_users_is_asked_one_by_one(other: dict[str, Any]) -> None:
    """A function of its own, or a session engine."""
    scope = scope_of("a" * 32)
    assert identity_queries.batch_key(scope) == "a" * 32

    with override_settings(**other):
        assert identity_queries.batch_key(scope) is None
