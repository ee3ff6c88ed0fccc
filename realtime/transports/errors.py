"""Saying no over HTTP: a status, and JSON that says why."""

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

NOT_ALLOWED, TOO_MANY, UNAVAILABLE = 405, 429, 503

AGAIN_FROM, AGAIN_TO = 1, 10
"""Seconds after which one who was sent away for a while may come back, spread."""

_MEANINGS = {
    CloseCode.NOT_AUTHENTICATED: (401, "not-authenticated", "log in first"),
    CloseCode.REFUSED: (403, "not-allowed", "these topics may not be watched"),
    CloseCode.TOO_MANY: (429, "too-many", "over a limit: ask for less, or over fewer connections"),
    CloseCode.SILENT: (503, "busy", "it took too long to find out who this is; come back"),
    CloseCode.DRAINING: (503, "draining", "this server goes away; come back for another"),
    CloseCode.FULL: (503, "full", "this server is full; come back later"),
}


class Refused(Exception):
    """A request is answered with `status` and `{"error": {"code": …, "message": …}}`."""

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
        """Return what stands for a websocket's close code."""
        unknown = (500, "server-error", "the server failed; come back with your cursor")
        return cls(*_MEANINGS.get(code, unknown))  # type: ignore[call-overload]  # plain ints too

    @classmethod
    def topics(cls, topics: Iterable[str]) -> Refused:
        """Return what names topics that may not be watched."""
        return cls(*_MEANINGS[CloseCode.REFUSED], topics)

    def response(self) -> HttpResponseBase:
        """Return the answer."""
        response = JsonResponse({"error": self.error}, status=self.status)
        if self.status == NOT_ALLOWED:
            response.headers["Allow"] = "GET"
        if self.status in {TOO_MANY, UNAVAILABLE}:
            seconds = random.randint(AGAIN_FROM, AGAIN_TO)  # noqa: S311 -- jitter
            response.headers["Retry-After"] = str(seconds)
        return response


def json_errors(view: View) -> View:
    """Make a view of a coroutine function that may raise Refused; the decorated asks for nothing.

    It finds its user itself, so a project's LoginRequiredMiddleware, which would send a program to
    a login page, has nothing to ask; and since it only answers GET there is nothing to forge. It
    lasts, so it cannot run within a transaction as ATOMIC_REQUESTS would have it.
    """

    @wraps(view)
    async def answer(request: HttpRequest) -> HttpResponseBase:
        try:
            if request.method != "GET":
                raise Refused(NOT_ALLOWED, "get-only", f"expected GET, got {request.method}")
            if not hasattr(request, "scope"):
                message = "this is served under ASGI alone; run an ASGI server, like uvicorn"
                raise Refused(501, "asgi-only", message)
            response = await view(request)
        except Refused as refused:
            response = refused.response()
        response.headers["Cache-Control"] = "no-store"
        if response.status_code == UNAVAILABLE:
            # Said on purpose, and often. Django would log each as an error of the project's.
            response._has_been_logged = True  # type: ignore[attr-defined]
        return response

    made = login_not_required(csrf_exempt(answer))
    for alias in connections:
        made = transaction.non_atomic_requests(using=alias)(made)
    found: View = made
    return found


def refuse_foreign(request: HttpRequest) -> None:
    """Raise Refused for another site's page.

    It could read nothing, since no CORS headers are sent. But it could occupy the places of those
    who visit it. Origins are judged as those of websockets are; a program sends none.
    """
    origin = request.headers.get("Origin")
    cross_site = request.headers.get("Sec-Fetch-Site") == "cross-site"
    if cross_site or (origin is not None and not is_ours(origin)):
        raise Refused(403, "foreign-origin", "pages of other sites may not ask here")
