"""Warnings of what is wider than somebody may have meant, once a minute of each kind at most.

Nothing is done about it: a message for ten thousand clients is told to all of them. But whoever
wonders why a process is busy finds here what it was busy with.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import monotonic

from realtime.conf import conf
from realtime.messages.message import Message
from realtime.messages.topics import Topic

PAUSE = 60.0
"""Seconds between two warnings of a kind."""

_fan_outs = logging.getLogger("realtime.hub")
_published = logging.getLogger("realtime.outbox")

_next: dict[str, float] = {}
"""When each kind may be said again."""


def note_fan_out(topic: Topic, width: int) -> None:
    """Warn if one message is told to very many: `WARN_FAN_OUT`."""
    if 0 < conf.WARN_FAN_OUT < width and _is_due("fan-out"):
        what = "a message to %s is told to %d mailboxes here, more than WARN_FAN_OUT = %d"
        _fan_outs.warning(what, topic, width, conf.WARN_FAN_OUT)


def note_published(messages: Sequence[Message]) -> None:
    """Warn if very many messages are published together: `WARN_PUBLISH`."""
    if 0 < conf.WARN_PUBLISH < len(messages) and _is_due("publish"):
        what = "%d messages are published together, more than WARN_PUBLISH = %d; the first to %s"
        _published.warning(what, len(messages), conf.WARN_PUBLISH, messages[0].topic)


def _is_due(kind: str) -> bool:
    now = monotonic()
    if now < _next.get(kind, 0.0):
        return False
    _next[kind] = now + PAUSE
    return True
