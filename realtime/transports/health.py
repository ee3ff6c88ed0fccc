"""Health at `live/health/`: whether a load balancer may send clients to this process."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

from realtime.server import server_of
from realtime.transports.errors import json_errors


@json_errors
async def show_health(request: HttpRequest) -> HttpResponseBase:
    """Answer 200 while this process is connected to its backend and accepts clients, else 503."""
    status = _status()
    return JsonResponse({"status": status}, status=200 if status == "ok" else 503)


def _status() -> str:
    try:
        server = server_of()
        server.hub.start()
    except Exception:
        return "backend away"  # it cannot be made, which `with_websockets()` has logged
    if server.connections.draining:
        return "draining"
    if server.hub.is_connected:
        return "ok"
    return "backend away" if server.hub.is_away else "starting"
