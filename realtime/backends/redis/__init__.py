"""The Redis backend: one server, with or without replicas, or a cluster. Redis 7 or newer.

`docs/reference/redis-contract.md` specifies the data in Redis. Decision 11 in
`docs/explanation/decisions/` gives the proof of delivery.
"""

from __future__ import annotations

try:
    import redis  # noqa: F401 -- an optional dependency
except ImportError as error:
    raise ImportError(
        "the Redis backend needs redis-py: pip install 'django-livequery[redis]'"
    ) from error

from realtime.backends.redis.pubsub import RedisPubSub

__all__ = ["RedisPubSub"]
