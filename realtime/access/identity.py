"""The identity of a client: found when it connects, and again at each check of its connection.

`REALTIME["AUTHENTICATE"]` names the function that finds the user: it receives a connection's ASGI
scope and returns a user, or None. Each check calls it again, so that a deactivated user or a
withdrawn token is noticed.
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
    """Finds the identities of clients."""

    async def identify(self, scope: Scope) -> Identity:
        """Return the identity of a connection; raise TimeoutError if a step takes too long."""


class Claim(NamedTuple):
    """The user that a session names: an authentication backend, and the user's key there."""

    backend: str
    pk: Any


@dataclass(slots=True)
class Identity:
    """The user of a connection, and the mark of its session; the mark is empty without a session.

    `loader` finds the user at later checks; None calls `identify()`.
    """

    scope: Scope
    user: Any
    session: str
    loader: Identifies | None = None

    @property
    def key(self) -> str:
        """The user's primary key as text; empty for an anonymous user."""
        return key_of(self.user)

    @property
    def is_anonymous(self) -> bool:
        """True if no user is logged in."""
        return not getattr(self.user, "is_authenticated", False)

    async def look_again(self) -> bool:
        """Find the user again; return True if user and session are unchanged.

        Raise TimeoutError if a step takes longer than RULE_TIMEOUT.
        """
        found = await (self.loader.identify if self.loader else identify)(self.scope)
        # An anonymous user may change the session.
        same = found.key == self.key and (found.session == self.session or not self.key)
        if same:
            # The new object: the old one caches permissions that may have changed.
            self.user = found.user
        return same


async def identify(scope: Scope) -> Identity:
    """Return the identity of a connection; raise TimeoutError if a step takes too long."""
    authenticate = import_string(conf.AUTHENTICATE)
    if iscoroutinefunction(authenticate):
        user = await await_in_time(authenticate(scope))
        return Identity(scope, user or anonymous_user(), await in_time(_scope_mark, scope))
    if authenticate is session_user and not session_key_of(scope):
        # A scope without a cookie has no session: no thread is needed.
        return Identity(scope, anonymous_user(), "")
    return await in_time(_identify, authenticate, scope)


def session_user(scope: Scope) -> Any:
    """Return the user of the scope's session; None if the session no longer logs a user in.

    The session must exist, be unexpired, and hold the hash of the user's password. The default of
    `REALTIME["AUTHENTICATE"]`. Unlike Django's `get_user()` it writes nothing, since a socket
    cannot set a cookie.
    """
    session = session_of(scope)
    claim = claim_of(session)
    if session is None or claim is None:
        return None
    user = load_backend(claim.backend).get_user(claim.pk)
    return user if user is not None and password_holds(user, session) else None


def claim_of(session: SessionBase | None) -> Claim | None:
    """Return the user that a session names; None if it names none, or an unused backend."""
    if session is None:
        return None
    try:
        pk = get_user_model()._meta.pk.to_python(session[SESSION_KEY])
        claim = Claim(session[BACKEND_SESSION_KEY], pk)
    except KeyError:
        return None
    return claim if claim.backend in settings.AUTHENTICATION_BACKENDS else None


def key_of(user: Any) -> str:
    """Return a user's primary key as text; empty for None or an anonymous user."""
    pk = getattr(user, "pk", None)
    return "" if pk is None else str(pk)


def session_mark(session: SessionBase | None) -> str:
    """Return a session's mark: text that identifies the session and cannot be used to log in.

    Empty without a session. With sessions in signed cookies, all sessions of a user with the same
    password have one mark, and those of anonymous users none.
    """
    if session is None or not session.session_key:
        return ""
    # The key of a session in a cookie is its data, and changes with the data. The hash stays.
    key = session.get(HASH_SESSION_KEY) if is_kept_in_cookies() else session.session_key
    return salted_hmac("realtime.session", key, algorithm="sha256").hexdigest()[:20] if key else ""


def is_kept_in_cookies() -> bool:
    """Return True if sessions are stored only in signed cookies."""
    return settings.SESSION_ENGINE.endswith(".signed_cookies")


def session_of(scope: Scope) -> SessionBase | None:
    """Return the session that a scope's cookie names; None if there is no such session."""
    if _SESSION in scope:
        return cast("SessionBase | None", scope[_SESSION])
    key = session_key_of(scope)
    return stored_session(key) if key and settings.SESSION_ENGINE else None


def stored_session(key: str) -> SessionBase | None:
    """Return the session with this key; None if there is none."""
    session: SessionBase = import_module(settings.SESSION_ENGINE).SessionStore(key)
    # Reading drops the key of a session that does not exist.
    session.is_empty()
    session.get(SESSION_KEY)
    return session if session.session_key else None


def session_key_of(scope: Scope) -> str | None:
    """Return the session key in a scope's cookie, not validated; None without one."""
    cookie = b"; ".join(value for name, value in scope.get("headers", ()) if name == b"cookie")
    return parse_cookie(cookie.decode("latin-1")).get(settings.SESSION_COOKIE_NAME)


def _identify(authenticate: Any, scope: Scope) -> Identity:
    # Read once: for the project's function and for the mark.
    session = session_of(scope)
    with inside(authenticate):
        user = authenticate({**scope, _SESSION: session}) or anonymous_user()
    if inspect.isawaitable(user):
        if inspect.iscoroutine(user):
            user.close()
        # An awaitable would be taken for a user.
        raise TypeError(f"expected {authenticate!r} to return a user or None, got {user!r}")
    return Identity(scope, user, session_mark(session))


def anonymous_user() -> Any:
    """Return an anonymous user."""
    # Imported here: models can be imported only when the apps are ready.
    from django.contrib.auth.models import AnonymousUser  # noqa: PLC0415

    return AnonymousUser()


def _scope_mark(scope: Scope) -> str:
    return session_mark(session_of(scope))


def password_holds(user: Any, session: SessionBase) -> bool:
    """Return True if the session holds the hash of the user's present password."""
    if not hasattr(user, "get_session_auth_hash"):
        return True
    known = session.get(HASH_SESSION_KEY) or ""
    hashes = [user.get_session_auth_hash()]
    if hasattr(user, "get_session_auth_fallback_hash"):
        hashes += user.get_session_auth_fallback_hash()
    return any(constant_time_compare(known, each) for each in hashes)


def user_model() -> type[Model] | None:
    """Return the user model; None if it is not installed, as in a worker's settings."""
    try:
        return get_user_model()
    except ImproperlyConfigured:
        return None
