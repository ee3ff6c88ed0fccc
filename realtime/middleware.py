"""Middleware for responses that are live."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from realtime.pages.responses import around


class LiveResponses:
    """Puts the position into the response of each view that called `watch()`.

    For clients that fetch data themselves, and subscribe from there. Such a response may not be
    kept by caches: one that is handed out later would be older than it looks.
    """

    sync_capable = async_capable = True

    def __init__(
        self, get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]
    ) -> None:
        self._get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Let the view answer, and mark its response."""
        if self._is_async:
            return self._later(request)
        with around(request) as finish:
            response = self._get_response(request)
            assert isinstance(response, HttpResponseBase)
            finish(response)
            return response

    async def _later(self, request: HttpRequest) -> HttpResponseBase:
        with around(request) as finish:
            waiting = self._get_response(request)
            assert not isinstance(waiting, HttpResponseBase)
            response = await waiting
            finish(response)
            return response
