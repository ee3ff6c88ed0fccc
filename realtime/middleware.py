"""Middleware for responses of views that call `watch()`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_cache_control

from realtime.pages.watch import watched

POSITION = "Live-Position"
"""The response header with the position that was taken before any data was read for it."""


class LiveResponses:
    """Adds the position to the response of each view that called `watch()`.

    It is for clients that fetch data themselves, and subscribe from there. Caches may not keep such
    a response: one that is served later would be older than it looks.
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
        """Call the view, and add the position to its response."""
        if self._is_async:
            return self._later(request)
        response = self._get_response(request)
        assert isinstance(response, HttpResponseBase)
        return _marked(request, response)

    async def _later(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        assert not isinstance(response, HttpResponseBase)
        return _marked(request, await response)


def _marked(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    found = watched(request)
    if found is not None:
        response.headers[POSITION] = str(found.cursor)
        patch_cache_control(response, private=True, no_store=True)
    return response
