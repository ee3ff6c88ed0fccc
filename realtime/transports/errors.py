"""Error responses over HTTP: a status, and JSON with the reason."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Iterable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.db import connections, transaction
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from realtime.access.origins import is_ours
from realtime.protocol import CloseCode

View = Callable[[HttpRequest], Coroutine[Any, Any, HttpResponseBase]]

METHOD_NOT_ALLOWED, TOO_MANY_REQUESTS, SERVICE_UNAVAILABLE = 405, 429, 503

RETRY_FROM, RETRY_TO = 1, 10
"""Seconds in Retry-After: from and to, random, so that not all clients retry at once."""

INTERNAL_ERROR = 1011
"""The websocket protocol's close code for a failed server."""

_MEANINGS = {
    CloseCode.NOT_AUTHENTICATED: (401, "not-authenticated", "log in first"),
    CloseCode.REFUSED: (403, "not-allowed", "these topics may not be watched"),
    CloseCode.TOO_MANY: (429, "too-many", "over a limit: ask for less, or over fewer connections"),
    CloseCode.SILENT: (503, "busy", "identifying the user took too long; retry"),
    CloseCode.DRAINING: (503, "draining", "this server is draining; retry to reach another"),
    CloseCode.FULL: (503, "full", "this server is full; retry later"),
}


class Refused(Exception):
    """Answers a request with `status` and `{"error": {"code": …, "message": …}}`."""

    def __init__(
        self, status: int, code: str, message: str, topics: Iterable[str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error: dict[str, object] = {"code": code, "message": message}
        if topics is not None:
            self.error["topics"] = sorted(topics)

    @classmethod
    def because(cls, code: int) -> Refused:
        """Return the error for a websocket's close code."""
        unknown = (500, "server-error", "the server failed; retry with the same cursor")
        return cls(*_MEANINGS.get(code, unknown))  # type: ignore[call-overload]  # plain ints too

    @classmethod
    def topics(cls, topics: Iterable[str]) -> Refused:
        """Return the error that names topics that may not be watched."""
        return cls(*_MEANINGS[CloseCode.REFUSED], topics)

    def response(self) -> HttpResponseBase:
        """Return the HTTP response."""
        response = JsonResponse({"error": self.error}, status=self.status)
        if self.status == METHOD_NOT_ALLOWED:
            response.headers["Allow"] = "GET"
        if self.status in {TOO_MANY_REQUESTS, SERVICE_UNAVAILABLE}:
            seconds = random.randint(RETRY_FROM, RETRY_TO)  # noqa: S311 -- jitter
            response.headers["Retry-After"] = str(seconds)
        return response


def json_errors(view: View) -> View:
    """Decorate an async view: turn `Refused` into a JSON response; no login, CSRF or transaction.

    The view finds its user itself, so a project's LoginRequiredMiddleware, which would redirect a
    program to a login page, does not apply. It only answers GET, so CSRF does not apply. It runs
    for long, so it cannot run within the transaction of ATOMIC_REQUESTS.
    """

    @wraps(view)
    async def answer(request: HttpRequest) -> HttpResponseBase:
        try:
            if request.method != "GET":
                raise Refused(METHOD_NOT_ALLOWED, "get-only", f"expected GET, got {request.method}")
            if not hasattr(request, "scope"):
                message = "expected an ASGI server, got WSGI; run one, like uvicorn"
                raise Refused(501, "asgi-only", message)
            response = await view(request)
        except Refused as refused:
            response = refused.response()
        response.headers["Cache-Control"] = "no-store"
        if response.status_code == SERVICE_UNAVAILABLE:
            # Frequent and intended. Django would log each as an error of the project's.
            response._has_been_logged = True  # type: ignore[attr-defined]
        return response

    made = login_not_required(csrf_exempt(answer))
    for alias in connections:
        made = transaction.non_atomic_requests(using=alias)(made)
    found: View = made
    return found


def refuse_foreign(request: HttpRequest) -> None:
    """Raise Refused for another site's page.

    Such a page could read nothing, since no CORS headers are sent. But it could use up the
    connections of its visitors. Origins are judged as those of websockets are; a program sends
    none.
    """
    origin = request.headers.get("Origin")
    cross_site = request.headers.get("Sec-Fetch-Site") == "cross-site"
    if cross_site or (origin is not None and not is_ours(origin)):
        raise Refused(403, "foreign-origin", "pages of other sites may not send requests here")
