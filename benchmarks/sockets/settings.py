"""Settings of the servers and publishers: every client may watch every topic."""

import os
from typing import Any

SECRET_KEY = "of a benchmark"
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "channels",
    "realtime",
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("BENCH_DB", ":memory:"),
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

_redis = os.environ.get("REDIS_URL", "")
REALTIME: dict[str, Any] = {
    "PUBSUB": {"BACKEND": "realtime.backends.redis.RedisPubSub", "OPTIONS": {"url": [_redis]}},
    "ALLOW_ANONYMOUS": True,
    # All logged-in clients are the same user.
    "MAX_CONNECTIONS_A_USER": 100_000,
    # No message is written to a database here: other benchmarks measure that cost.
    "OUTBOX": False,
}
_LAYERS = {
    "core": "channels_redis.core.RedisChannelLayer",
    "pubsub": "channels_redis.pubsub.RedisPubSubChannelLayer",
}
if "BENCH_LAYER" in os.environ:  # with a layer, Channels gives each socket a channel of its own
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": _LAYERS[os.environ["BENCH_LAYER"]],
            "CONFIG": {
                # More than a hundred clients may subscribe at a time.
                "hosts": [{"address": _redis, "max_connections": 10_000}],
                # The default capacity of 100 drops most of a burst; this holds all of it.
                "capacity": 1_000_000,
            },
        }
    }
