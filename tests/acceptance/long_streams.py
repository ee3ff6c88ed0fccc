"""The demo's settings, with streams that last until they have sent much, and a place for few."""

from demo_todo.settings import *  # noqa: F403

REALTIME = {"MAX_CONNECTIONS": 3, "SSE_MAX_BYTES": 20_000}
