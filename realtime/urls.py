"""Live data over plain HTTP: a project mounts it by `path("live/", include("realtime.urls"))`."""

from __future__ import annotations

from django.urls import path

from realtime.transports.health import show_health
from realtime.transports.poll import poll_changes
from realtime.transports.sse import stream_events

app_name = "realtime"

urlpatterns = [
    path("sse/", stream_events, name="sse"),
    path("changes/", poll_changes, name="changes"),
    path("health/", show_health, name="health"),
]
