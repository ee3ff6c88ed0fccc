"""The ASGI application for a project's asgi.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import WebsocketDenier
from django.urls import re_path

from realtime.access.origins import is_ours

Application = Callable[..., Awaitable[Any]]


def with_websockets(http: Application, routes: Sequence[Any] = ()) -> Application:
    """Return an ASGI application: `http` for HTTP requests, and websockets at `/ws/live/`.

    First each websocket's origin is checked against ALLOWED_HOSTS; a foreign one is refused with
    HTTP 403. The user comes from the session, or from `REALTIME["AUTHENTICATE"]`. `routes` are the
    project's own websocket routes; a websocket at an unknown path is refused. Call it after
    `get_asgi_application()`, which sets Django up.
    """
    # Imported here: the apps must be loaded, as they are after get_asgi_application().
    from realtime.protocol import WEBSOCKET_PATH  # noqa: PLC0415
    from realtime.server import server_of_request  # noqa: PLC0415
    from realtime.transports.websocket import live_socket  # noqa: PLC0415

    others = AuthMiddlewareStack(URLRouter([*routes, re_path(r"", _UnknownPath.as_asgi())]))
    application: Application = ProtocolTypeRouter({"http": http, "websocket": others})

    async def with_hub(scope: Any, receive: Any, send: Any) -> None:
        # At every request, not only for subscriptions: the hub also sends rows left by a crash,
        # and answers calls of operators.
        with suppress(Exception):  # It is logged, and the project's pages are served all the same.
            server_of_request().hub.start()
        if scope["type"] == "websocket" and not is_ours(_origin_of(scope)):
            await WebsocketDenier()(scope, receive, send)
        elif scope["type"] == "websocket" and _path_of(scope) == WEBSOCKET_PATH:
            # Not through the routers: their frames would stay in memory while the socket is open.
            await live_socket(scope, receive, send)
        else:
            await application(scope, receive, send)

    return with_hub


def _path_of(scope: Any) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")).lstrip("/")


def _origin_of(scope: Any) -> str | None:
    """Return the websocket's `Origin` header; the last one counts, as in Channels."""
    found = [value for name, value in scope.get("headers", ()) if name == b"origin"]
    return found[-1].decode("latin-1") if found else None


class _UnknownPath(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    """Refuses a websocket at an unknown path; Channels alone would log a traceback."""

    async def connect(self) -> None:
        await self.close()
