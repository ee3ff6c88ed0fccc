"""Find the users of many clients by few queries, where the result is the same as one by one.

It is the same with Django's own session engines, authentication backends and managers. Those of a
project may do anything, so their clients are looked up one by one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model, load_backend
from django.contrib.sessions.backends.base import SessionBase
from django.core.cache import caches
from django.db.models import Manager, QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string

from realtime.access.identity import (
    Claim,
    Identity,
    Scope,
    anonymous_user,
    claim_of,
    is_kept_in_cookies,
    password_holds,
    session_key_of,
    session_mark,
    session_user,
    stored_session,
)
from realtime.access.rule_threads import inside
from realtime.conf import conf

LONGEST_KEY = 40
"""Characters of a session key at most: the size of the column in Django's own table."""

Sessions = Mapping[str, SessionBase | None]
"""Session key -> session; None if it does not exist. A client whose key is missing is looked up
alone.
"""

Users = Mapping[Claim, Any]
"""Claim -> user; None if the user may not log in. A client whose claim is missing is looked up
alone.
"""


def batch_key(scope: Scope) -> str | None:
    """Return the session key by which a client can be looked up with others; None if it cannot."""
    if (
        settings.SESSION_ENGINE not in _READER
        or import_string(conf.AUTHENTICATE) is not session_user
    ):
        return None
    key = session_key_of(scope)
    if not key or is_kept_in_cookies():
        return key or None
    # Django makes no other keys. One that makes a query fail must fail for its own client only.
    is_djangos = len(key) <= LONGEST_KEY and key.isascii() and key.isalnum()
    return key if is_djangos else None


def identify_many(asked: Sequence[tuple[Scope, str]]) -> list[Identity | None]:
    """Return the identities of clients, given as scope and session key, in their order.

    None for a client that must be looked up alone.
    """
    with inside(session_user):
        sessions = _READER[settings.SESSION_ENGINE]({key for _, key in asked})
        claims: dict[str, Claim | None] = {}
        for key, session in sessions.items():
            with suppress(Exception):  # the look-up of this client alone raises it
                claims[key] = claim_of(session)
        users = _users({claim for claim in claims.values() if claim is not None})
        return [
            _identity(scope, sessions[key], claims[key], users) if key in claims else None
            for scope, key in asked
        ]


def _identity(
    scope: Scope, session: SessionBase | None, claim: Claim | None, users: Users
) -> Identity | None:
    if session is None or claim is None:
        return Identity(scope, anonymous_user(), session_mark(session))
    if claim not in users:
        return None
    try:
        user = users[claim]
        if user is None or not password_holds(user, session):
            return Identity(scope, anonymous_user(), session_mark(session))
        # A copy for each client: rules cache results on the user.
        return Identity(scope, copy.copy(user), session_mark(session))
    except Exception:
        return None


# -- sessions -------------------------------------------------------------------------------------


def _from_database(keys: Collection[str]) -> Sessions:
    stores = _stores(keys)
    rows = (
        _store_class()
        .get_model_class()
        .objects.filter(
            session_key__in=[store.session_key for store in stores.values() if store.session_key],
            expire_date__gt=timezone.now(),
        )
    )
    data = {row.session_key: row.session_data for row in rows}
    return {
        key: _filled(store, store.decode(data[key])) if key in data else None
        for key, store in stores.items()
    }


def _from_cache(keys: Collection[str]) -> Sessions:
    found = _cached(keys)
    return {key: found.get(key) for key in keys}


def _cached(keys: Collection[str]) -> Sessions:
    """Return the sessions that are in the cache; those in the database only are missing."""
    stores = {key: store for key, store in _stores(keys).items() if store.session_key}
    names = {key: store.cache_key for key, store in stores.items()}
    data = caches[settings.SESSION_CACHE_ALIAS].get_many(names.values())
    return {key: _filled(stores[key], data[name]) for key, name in names.items() if name in data}


def _from_cookies(keys: Collection[str]) -> Sessions:
    found = {}
    for key in keys:
        with suppress(Exception):  # the look-up of this client alone raises it
            found[key] = stored_session(key)
    return found


_DJANGOS = "django.contrib.sessions.backends"

_READER: Mapping[str, Callable[[Collection[str]], Sessions]] = {
    f"{_DJANGOS}.db": _from_database,
    f"{_DJANGOS}.cache": _from_cache,
    f"{_DJANGOS}.cached_db": _cached,
    f"{_DJANGOS}.signed_cookies": _from_cookies,
}
"""Session engine -> function that reads the sessions with these keys."""


def _store_class() -> Any:
    return import_module(settings.SESSION_ENGINE).SessionStore


def _stores(keys: Iterable[str]) -> dict[str, Any]:
    make = _store_class()
    return {key: make(key) for key in keys}


def _filled(store: Any, data: dict[str, Any]) -> SessionBase:
    """Give a session the data that it would load, and return it."""
    store._session_cache = data
    found: SessionBase = store
    return found


# -- users ----------------------------------------------------------------------------------------


def _users(claims: Collection[Claim]) -> Users:
    found: dict[Claim, Any] = {}
    for path in {claim.backend for claim in claims}:
        backend: Any = load_backend(path)
        if _looks_up_by_key(backend):
            pks = {claim.pk for claim in claims if claim.backend == path}
            for pk, user in get_user_model()._default_manager.in_bulk(pks).items():
                may = backend.user_can_authenticate(user)
                found[Claim(path, pk)] = user if may else None
    return found


def _looks_up_by_key(backend: Any) -> bool:
    """Return True if this authentication backend finds users by a query for the primary key alone.

    That is so if neither the backend nor the user model's manager replaces Django's methods.
    """
    # Imported here: models can be imported only when the apps are ready.
    from django.contrib.auth.backends import AllowAllUsersModelBackend, ModelBackend  # noqa: PLC0415

    kind, manager = type(backend), get_user_model()._default_manager
    query = type(manager.get_queryset())
    return (
        kind.get_user is ModelBackend.get_user
        and kind.user_can_authenticate
        in (ModelBackend.user_can_authenticate, AllowAllUsersModelBackend.user_can_authenticate)
        and (type(manager).get, type(manager).in_bulk) == (Manager.get, Manager.in_bulk)
        and (query.get, query.in_bulk) == (QuerySet.get, QuerySet.in_bulk)
    )
