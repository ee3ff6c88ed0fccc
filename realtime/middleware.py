"""Middleware that adds headers to the responses of views that call `watch()`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from realtime.pages.responses import around


class LiveResponses:
    """Adds the header `Live-Position` to the responses of views that called `watch()`.

    Clients that fetch data themselves subscribe from this position. The response is marked
    `no-store`, since a cached one would be served with old data later.
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
        """Call the view inside the contexts of AROUND; return its response or a coroutine."""
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
