"""The settings of `realtime`, read live from `settings.REALTIME` over the defaults below."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

Threshold = int
"""A number above which a warning is logged; 0 for never."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """Every setting with its default; docs/reference/settings.md explains each."""

    PUBSUB: Mapping[str, Any] = field(
        default_factory=lambda: {"BACKEND": "realtime.backends.database.DatabasePubSub"}
    )
    OUTBOX: bool = True
    OUTBOX_SWEEP: float = 5
    OUTBOX_QUEUE: int = 10_000
    ALLOW_ANONYMOUS: bool = False
    AUTHENTICATE: str = "realtime.access.identity.session_user"
    RECHECK: float = 300
    RULE_THREADS: int = 4
    RULE_TIMEOUT: float = 5
    TICKET_AGE: float = 600
    HEARTBEAT: float = 25
    SILENCE: float = 300
    HANDSHAKE_TIMEOUT: float = 10
    MAX_FRAME_BYTES: int = 65_536
    MAX_FRAMES_A_SECOND: int = 50
    MAX_TOPIC_LENGTH: int = 500
    MAX_SUBSCRIPTIONS: int = 1_000
    MAX_CONNECTIONS: int = 20_000
    MAX_CONNECTIONS_A_USER: int = 100
    MAX_WAITING_ROWS: int = 1_000
    MAX_MAILBOX_ROWS: int = 10_000
    SEND_WINDOW: int = 65_536
    SSE_MAX_BYTES: int = 1_048_576
    SSE_SECONDS: float = 900
    POLL_WAIT: float = 30
    LINGER: float = 10
    REFRESH: float = 300
    RESET_JITTER: float = 1
    WARN_FAN_OUT: Threshold = 10_000
    WARN_PUBLISH: Threshold = 1_000
    METRICS: bool = True


class Conf:
    """`conf.HEARTBEAT` is the project's value in `settings.<NAME>`, or the default.

    Values are cached until the setting is overridden, as by `override_settings(REALTIME=…)`: Django
    takes microseconds to report that a setting is missing, and every write reads several.
    """

    def __init__(self, setting: str, defaults: Any) -> None:
        self._setting = setting
        self._defaults = defaults

    def __getattr__(self, name: str) -> Any:
        default = getattr(self._defaults, name)
        value = getattr(settings, self._setting, {}).get(name, default)
        # Python does not call this method for an attribute that exists.
        self.__dict__[name] = value
        return value

    def forget(self, *, setting: str, **_: object) -> None:
        """Drop cached values; receives Django's `setting_changed`."""
        if setting == self._setting:
            for name in [name for name in self.__dict__ if name.isupper()]:
                del self.__dict__[name]


conf = Conf("REALTIME", Defaults())
