"""The websocket routes, for projects that build their own ASGI application."""

from __future__ import annotations

from django.urls import path

from realtime.transports.websocket import live_socket

WEBSOCKET_PATH = "ws/live/"

websocket_urlpatterns = [
    path(WEBSOCKET_PATH, live_socket),  # type: ignore[arg-type]  # an application, not a view
]
