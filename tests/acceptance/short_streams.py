"""The demo's settings, with streams that end after a second."""

from demo_todo.settings import *  # noqa: F403

REALTIME = {"SSE_SECONDS": 1}
