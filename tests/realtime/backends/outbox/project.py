"""Settings of the processes that these tests start: the demo on the test database.

OUTBOX_SOCKET names the backend's socket; OTHER_DB a second SQLite database, if any.
"""

import os

from demo_todo.settings import *  # noqa: F403
from demo_todo.settings import DATABASES

if "OTHER_DB" in os.environ:
    DATABASES["other"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["OTHER_DB"]}

REALTIME = {
    "PUBSUB": {
        "BACKEND": "tests.contract.socket_backend.SocketPubSub",
        "OPTIONS": {"path": os.environ["OUTBOX_SOCKET"], "timeout": 1.0},
    },
    "OUTBOX_SWEEP": 0.2,
}
