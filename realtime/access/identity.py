"""Identities: a client's user and session, found when it connects and again at each recheck.

`REALTIME["AUTHENTICATE"]` names the function that finds the user: it takes the ASGI scope of a
connection and returns a user or None. It is called at each look-up, so that a user who was
deactivated, or a token that was withdrawn, is noticed.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple, Protocol, cast

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
    load_backend,
)
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model
from django.http.cookie import parse_cookie
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.module_loading import import_string

from realtime.access.rule_threads import await_in_time, in_time, inside
from realtime.conf import conf

Scope = Mapping[str, Any]

_SESSION = "realtime.session"


class Identifies(Protocol):
    """Finds the users and sessions of connections."""

    async def identify(self, scope: Scope) -> Identity:
        """Return a connection's user and session; raise TimeoutError after RULE_TIMEOUT."""


class Claim(NamedTuple):
    """The user that a session names: the authentication backend, and its primary key."""

    backend: str
    pk: Any


@dataclass(slots=True)
class Identity:
    """A user, and the mark of the session; empty without one.

    `loader` looks the user up again; None to call `identify()`.
    """

    scope: Scope
    user: Any
    session: str
    loader: Identifies | None = None

    @property
    def key(self) -> str:
        """The user's primary key as text; empty for an anonymous one."""
        return key_of(self.user)

    @property
    def is_anonymous(self) -> bool:
        """Whether the client is not logged in."""
        return not getattr(self.user, "is_authenticated", False)

    async def look_again(self) -> bool:
        """Load the user again; return whether user and session are still the same."""
        found = await (self.loader.identify if self.loader else identify)(self.scope)
        # An anonymous user may have another session.
        same = found.key == self.key and (found.session == self.session or not self.key)
        if same:
            # The new object: the old one caches permissions.
            self.user = found.user
        return same


async def identify(scope: Scope) -> Identity:
    """Return a connection's user and session; raise TimeoutError after RULE_TIMEOUT."""
    authenticate = import_string(conf.AUTHENTICATE)
    if iscoroutinefunction(authenticate):
        user = await await_in_time(authenticate(scope))
        return Identity(scope, user or anonymous_user(), await in_time(_mark, scope))
    if authenticate is session_user and not session_key_of(scope):
        # Without a cookie there is no session to look up.
        return Identity(scope, anonymous_user(), "")
    return await in_time(_identify, authenticate, scope)


def session_user(scope: Scope) -> Any:
    """Return the user of a session that exists, has not expired, and has the current password.

    The default of `REALTIME["AUTHENTICATE"]`. As Django's `get_user()`, but it writes nothing:
    a socket cannot set a cookie.
    """
    session = session_of(scope)
    claim = claim_of(session)
    if session is None or claim is None:
        return None
    user = load_backend(claim.backend).get_user(claim.pk)
    return user if user is not None and password_holds(user, session) else None


def claim_of(session: SessionBase | None) -> Claim | None:
    """Return the user that a session names; None if it names none."""
    if session is None:
        return None
    try:
        pk = get_user_model()._meta.pk.to_python(session[SESSION_KEY])
        claim = Claim(session[BACKEND_SESSION_KEY], pk)
    except KeyError:
        return None
    return claim if claim.backend in settings.AUTHENTICATION_BACKENDS else None


def key_of(user: Any) -> str:
    """Return a user's primary key as text; empty for an anonymous user."""
    pk = getattr(user, "pk", None)
    return "" if pk is None else str(pk)


def mark_of(session: SessionBase | None) -> str:
    """Return a hash that identifies a session and is no key to it; empty for no session."""
    if session is None or not session.session_key:
        return ""
    # A session in a cookie has no fixed key: the hash of the user's password identifies it. An
    # anonymous user has none.
    key = session.get(HASH_SESSION_KEY) if is_kept_in_cookies() else session.session_key
    return salted_hmac("realtime.session", key, algorithm="sha256").hexdigest()[:20] if key else ""


def is_kept_in_cookies() -> bool:
    """Whether sessions are stored in cookies: all sessions of a user have the same mark then."""
    return settings.SESSION_ENGINE.endswith(".signed_cookies")


def session_of(scope: Scope) -> SessionBase | None:
    """Return the session that a scope's cookie names; None if it does not exist."""
    if _SESSION in scope:
        return cast("SessionBase | None", scope[_SESSION])
    key = session_key_of(scope)
    return stored_session(key) if key and settings.SESSION_ENGINE else None


def stored_session(key: str) -> SessionBase | None:
    """Return the session with this key; None if it does not exist."""
    session: SessionBase = import_module(settings.SESSION_ENGINE).SessionStore(key)
    # Reading drops the key of a session that does not exist.
    session.is_empty()
    session.get(SESSION_KEY)
    return session if session.session_key else None


def session_key_of(scope: Scope) -> str | None:
    """Return the session key in a scope's cookie, which the client may have made up."""
    cookie = b"; ".join(value for name, value in scope.get("headers", ()) if name == b"cookie")
    return parse_cookie(cookie.decode("latin-1")).get(settings.SESSION_COOKIE_NAME)


def _identify(authenticate: Any, scope: Scope) -> Identity:
    session = session_of(scope)
    # Loaded once, for the user and for the mark.
    with inside(authenticate):
        user = authenticate({**scope, _SESSION: session}) or anonymous_user()
    if inspect.isawaitable(user):
        if inspect.iscoroutine(user):
            user.close()
        # An awaitable is true, so it would count as a user.
        raise TypeError(f"expected {authenticate!r} to return a user or None, got {user!r}")
    return Identity(scope, user, mark_of(session))


def anonymous_user() -> Any:
    """Return an anonymous user."""
    # Can be imported only when the apps are ready.
    from django.contrib.auth.models import AnonymousUser  # noqa: PLC0415

    return AnonymousUser()


def _mark(scope: Scope) -> str:
    return mark_of(session_of(scope))


def password_holds(user: Any, session: SessionBase) -> bool:
    """Return whether the user's password is the one with which this session began."""
    if not hasattr(user, "get_session_auth_hash"):
        return True
    known = session.get(HASH_SESSION_KEY) or ""
    hashes = [user.get_session_auth_hash()]
    if hasattr(user, "get_session_auth_fallback_hash"):
        hashes += user.get_session_auth_fallback_hash()
    return any(constant_time_compare(known, each) for each in hashes)


def user_model() -> type[Model] | None:
    """Return the user model; None if the settings have none, as those of a worker may."""
    try:
        return get_user_model()
    except ImproperlyConfigured:
        return None
