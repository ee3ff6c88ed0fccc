"""What begins and ends with a response, around all that reads for it.

`realtime.middleware.LiveResponses` enters every entry of AROUND before the request goes on, and
hands each the response. Other packages add theirs: a recording of what is read, for one.
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
"""The response's header with the position that was taken before anything was read for it."""

Finish = Callable[[HttpResponseBase], None]
"""Is called with the response, whose headers it may change."""

AROUND: Registry[Callable[[HttpRequest], AbstractContextManager[Finish]]] = Registry(
    "context around responses"
)
"""Context managers around a request, each giving what to do with its response.

They are entered in the order of their registration. The responses are handed over, and the contexts
left, in the reverse order. A context is left also where no response comes, because the request was
cancelled. Of an async request they run on the event loop: they must not block.
"""


@contextmanager
def around(request: HttpRequest) -> Iterator[Finish]:
    """Enter every context; give what hands the response to all of them."""
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
