"""The user of a request: the person that a cookie names, without a password."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.http.cookie import parse_cookie
from django.utils.functional import SimpleLazyObject

from tests.convergence.board.models import Person

Viewer = Person | AnonymousUser


def person_of(scope: Mapping[str, Any]) -> Viewer:
    """Return a connection's user; for REALTIME["AUTHENTICATE"]."""
    lines = [value for name, value in scope["headers"] if name == b"cookie"]
    return _person(parse_cookie(b"; ".join(lines).decode()))


def as_person(get_response: Callable[[HttpRequest], HttpResponse]) -> Any:
    """Set each request's user, which is loaded on first use; a middleware."""

    def answer(request: HttpRequest) -> HttpResponse:
        request.user = SimpleLazyObject(lambda: _person(request.COOKIES))  # type: ignore[assignment]
        return get_response(request)

    return answer


def _person(cookies: Mapping[str, str]) -> Viewer:
    named = Person.objects.filter(pk=cookies.get("person"))
    return named.first() or AnonymousUser()
