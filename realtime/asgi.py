"""What a project's asgi.py includes."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import WebsocketDenier
from django.urls import re_path

from realtime.access.origins import is_ours

logger = logging.getLogger("realtime.hub")

Application = Callable[..., Awaitable[Any]]


def with_websockets(http: Application, routes: Sequence[Any] = ()) -> Application:
    """Serve `/ws/live/` beside a project's HTTP application.

    Origins are checked against ALLOWED_HOSTS before anything else (a foreign one gets HTTP 403),
    and the user comes from the session, or from `REALTIME["AUTHENTICATE"]`. `routes` are a
    project's own websocket routes; a path that nobody serves is refused. Call it below
    `get_asgi_application()`, which sets Django up.
    """
    # Needs the apps to be ready, as they are once get_asgi_application() has been called.
    from realtime.protocol import WEBSOCKET_PATH  # noqa: PLC0415
    from realtime.server import server_of  # noqa: PLC0415
    from realtime.transports.websocket import live_socket  # noqa: PLC0415

    others = AuthMiddlewareStack(URLRouter([*routes, re_path(r"", _Nowhere.as_asgi())]))
    application: Application = ProtocolTypeRouter({"http": http, "websocket": others})

    is_deaf = False

    async def with_hub(scope: Any, receive: Any, send: Any) -> None:
        nonlocal is_deaf
        # Not only when somebody subscribes: it sends what a crash left behind, and says that this
        # process is there.
        try:
            server_of().hub.start()
        except Exception:
            # Pages that have nothing live are shown all the same.
            if not is_deaf:
                is_deaf = True
                logger.exception("this process hears nothing: its backend cannot be made")
        if scope["type"] == "websocket" and not is_ours(_origin_of(scope)):
            await WebsocketDenier()(scope, receive, send)
        elif scope["type"] == "websocket" and _path_of(scope) == WEBSOCKET_PATH:
            # Past the routers, each of which would be kept in memory for as long as the socket is.
            await live_socket(scope, receive, send)
        else:
            await application(scope, receive, send)

    return with_hub


def _path_of(scope: Any) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")).lstrip("/")


def _origin_of(scope: Any) -> str | None:
    """Return where the page is from that opens a socket. The last origin counts, as in Channels."""
    found = [value for name, value in scope.get("headers", ()) if name == b"origin"]
    return found[-1].decode("latin-1") if found else None


class _Nowhere(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    """Refuses a socket at a path that nobody serves, where Channels would log a traceback."""

    async def connect(self) -> None:
        await self.close()
