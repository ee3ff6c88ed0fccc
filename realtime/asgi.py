"""What a project's asgi.py includes."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from channels.auth import AuthMiddlewareStack
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator, WebsocketDenier
from django.urls import re_path

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
    from realtime.hub import get_hub  # noqa: PLC0415
    from realtime.routing import websocket_urlpatterns  # noqa: PLC0415

    # Ours finds its user itself, again and again; those of the project have Channels' scope.
    others = AuthMiddlewareStack(URLRouter([*routes, re_path(r"", _Nowhere.as_asgi())]))
    patterns = [*websocket_urlpatterns, re_path(r"", others)]
    websocket = _only_readable_origins(AllowedHostsOriginValidator(URLRouter(patterns)))
    application: Application = ProtocolTypeRouter({"http": http, "websocket": websocket})

    is_deaf = False

    async def with_hub(scope: Any, receive: Any, send: Any) -> None:
        nonlocal is_deaf
        # Not only when somebody subscribes: it sends what a crash left behind, and says that this
        # process is there.
        try:
            get_hub().start()
        except Exception:
            # Pages that have nothing live are shown all the same.
            if not is_deaf:
                is_deaf = True
                logger.exception("this process hears nothing: its backend cannot be made")
        await application(scope, receive, send)

    return with_hub


def _only_readable_origins(application: Application) -> Application:
    """Refuse an origin that is no URL, where Channels would log a traceback."""

    async def with_readable_origin(scope: Any, receive: Any, send: Any) -> None:
        served = application
        for name, value in scope.get("headers", ()):
            if name == b"origin":
                try:
                    _ = urlsplit(value.decode("latin-1")).port
                except ValueError:
                    served = WebsocketDenier()
        await served(scope, receive, send)

    return with_readable_origin


class _Nowhere(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    """Refuses a socket at a path that nobody serves, where Channels would log a traceback."""

    async def connect(self) -> None:
        await self.close()
