"""Contexts around the handling of a request, from before the view to its response.

`realtime.middleware.LiveResponses` enters every context of AROUND before the view is called, and
passes the response to each. Other packages add contexts, such as a recording of reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_cache_control

from realtime.pages.watch import watched
from realtime.registry import Registry

POSITION = "Live-Position"
"""The response header with the position that was taken before the view read its data."""

Finish = Callable[[HttpResponseBase], None]
"""Called with the response, whose headers it may change."""

AROUND: Registry[Callable[[HttpRequest], AbstractContextManager[Finish]]] = Registry(
    "context around responses"
)
"""Context managers around a request; each yields a function that is called with the response.

They are entered in the order of registration. The functions are called, and the contexts left, in
reverse order. A context is left also without a response, if the request is cancelled. For async
requests they run on the event loop, so they must not block.
"""


@contextmanager
def around(request: HttpRequest) -> Iterator[Finish]:
    """Enter all contexts; yield a function that passes the response to each."""
    with ExitStack() as stack:
        finishes = [stack.enter_context(enter(request)) for enter in AROUND.values()]

        def finish(response: HttpResponseBase) -> None:
            for each in reversed(finishes):
                each(response)

        yield finish


@AROUND.register("position")
@contextmanager
def _position(request: HttpRequest) -> Iterator[Finish]:
    yield partial(_add_position, request)


def _add_position(request: HttpRequest, response: HttpResponseBase) -> None:
    found = watched(request)
    if found is not None:
        response.headers[POSITION] = str(found.cursor)
        patch_cache_control(response, private=True, no_store=True)
