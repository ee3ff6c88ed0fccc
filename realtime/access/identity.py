"""Who is at the other end: found when a client connects, and asked again while it stays.

How a user is found is the project's to replace: `REALTIME["AUTHENTICATE"]` names a function that
is given the ASGI scope of a connection and returns a user, or None. It is asked anew at each look,
so that a user who was deactivated, or a token that was withdrawn, is noticed.
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
    """Finds out whose connections there are."""

    async def identify(self, scope: Scope) -> Identity:
        """Find out whose connection this is. Raise TimeoutError if that takes too long."""


class Claim(NamedTuple):
    """What a session says of its user: the authentication backend, and the key it knows."""

    backend: str
    pk: Any


@dataclass(slots=True)
class Identity:
    """A user, and a mark of the session by which they came; empty where there is none.

    `loader` is what found it, if that was one that looks clients up together.
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
        """Is nobody logged in?"""
        return not getattr(self.user, "is_authenticated", False)

    async def look_again(self) -> bool:
        """Find the user anew; say whether it is still the same one, who may be here."""
        found = await (self.loader.identify if self.loader else identify)(self.scope)
        # Of nobody it does not matter by which session they came.
        same = found.key == self.key and (found.session == self.session or not self.key)
        if same:
            # With what has changed: permissions that were looked up are kept with a user.
            self.user = found.user
        return same


async def identify(scope: Scope) -> Identity:
    """Find out whose connection this is. Raise TimeoutError if that takes too long."""
    authenticate = import_string(conf.AUTHENTICATE)
    if iscoroutinefunction(authenticate):
        user = await await_in_time(authenticate(scope))
        return Identity(scope, user or anonymous_user(), await in_time(_mark, scope))
    if authenticate is session_user and not session_key_of(scope):
        # Without a cookie there is nothing to look for.
        return Identity(scope, anonymous_user(), "")
    return await in_time(_identify, authenticate, scope)


def session_user(scope: Scope) -> Any:
    """Return the user of a session that is there, has not expired, and whose password still holds.

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
    """Return whose session this says it is; None for nobody's."""
    if session is None:
        return None
    try:
        pk = get_user_model()._meta.pk.to_python(session[SESSION_KEY])
        claim = Claim(session[BACKEND_SESSION_KEY], pk)
    except KeyError:
        return None
    return claim if claim.backend in settings.AUTHENTICATION_BACKENDS else None


def key_of(user: Any) -> str:
    """Return a user's primary key as text; empty for nobody."""
    pk = getattr(user, "pk", None)
    return "" if pk is None else str(pk)


def mark_of(session: SessionBase | None) -> str:
    """Return what stands for a session and does not open it; empty for none."""
    if session is None or not session.session_key:
        return ""
    # All that a cookie holds is its key, which changes with that; and of nobody there is no hash.
    key = session.get(HASH_SESSION_KEY) if is_kept_in_cookies() else session.session_key
    return salted_hmac("realtime.session", key, algorithm="sha256").hexdigest()[:20] if key else ""


def is_kept_in_cookies() -> bool:
    """Are sessions with the clients alone? All of a user, with one password, have one mark then."""
    return settings.SESSION_ENGINE.endswith(".signed_cookies")


def session_of(scope: Scope) -> SessionBase | None:
    """Return the session that a scope's cookie names; None where there is none, or no more."""
    if _SESSION in scope:
        return cast("SessionBase | None", scope[_SESSION])
    key = session_key_of(scope)
    return stored_session(key) if key and settings.SESSION_ENGINE else None


def stored_session(key: str) -> SessionBase | None:
    """Return the session with this key; None if it is not there, or no more."""
    session: SessionBase = import_module(settings.SESSION_ENGINE).SessionStore(key)
    # Reading drops the key of a session that is not there.
    session.is_empty()
    session.get(SESSION_KEY)
    return session if session.session_key else None


def session_key_of(scope: Scope) -> str | None:
    """Return the session key that a scope's cookie gives, whatever that is worth."""
    cookie = b"; ".join(value for name, value in scope.get("headers", ()) if name == b"cookie")
    return parse_cookie(cookie.decode("latin-1")).get(settings.SESSION_COOKIE_NAME)


def _identify(authenticate: Any, scope: Scope) -> Identity:
    session = session_of(scope)
    # Read once, for the two who want it.
    with inside(authenticate):
        user = authenticate({**scope, _SESSION: session}) or anonymous_user()
    if inspect.isawaitable(user):
        if inspect.iscoroutine(user):
            user.close()
        # It would be somebody, whoever it was going to be.
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
    """Is the user's password the one with which this session began?"""
    if not hasattr(user, "get_session_auth_hash"):
        return True
    known = session.get(HASH_SESSION_KEY) or ""
    hashes = [user.get_session_auth_hash()]
    if hasattr(user, "get_session_auth_fallback_hash"):
        hashes += user.get_session_auth_fallback_hash()
    return any(constant_time_compare(known, each) for each in hashes)


def user_model() -> type[Model] | None:
    """Return the model; None where there is none, as in settings of a worker that leave it out."""
    try:
        return get_user_model()
    except ImproperlyConfigured:
        return None
