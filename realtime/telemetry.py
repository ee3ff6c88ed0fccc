"""Counters of this process's events, for operators.

Counting is one line at each event, and costs next to nothing. See `realtime.ops.prometheus` for a
reader.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from time import monotonic

from realtime.conf import conf
from realtime.messages.message import Message
from realtime.messages.topics import Topic


@dataclass(slots=True)
class Counters:
    """Counts since the process began. An event loop adds to them; any thread may read.

    received    messages that the backend gave to the hub
    fan_outs    messages delivered to at least one mailbox, merged with those beside them
    delivered   mailboxes that they were put into
    lost        times that the backend was lost
    frames      frames passed to the server, and `characters` in them
    denied      topics to which clients were denied a subscription
    revoked     topics whose subscription was revoked
    opened      connections that were admitted, by transport
    refused     connections that were not admitted, by close code
    closed      connections that were closed or refused, by close code
    resets      resets sent to clients, by reason
    answers     rules' answers to clients' questions: yes, no, failed; and for how many topics the
                rule, or its `depends`, was `late`
    """

    received: int = 0
    fan_outs: int = 0
    delivered: int = 0
    lost: int = 0
    frames: int = 0
    characters: int = 0
    denied: int = 0
    revoked: int = 0
    opened: Counter[str] = field(default_factory=Counter)
    refused: Counter[int] = field(default_factory=Counter)
    closed: Counter[int] = field(default_factory=Counter)
    resets: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)

    def clear(self) -> None:
        """Start at zero, as a forked process does."""
        new = Counters()
        for each in fields(self):
            setattr(self, each.name, getattr(new, each.name))


counters = Counters()
"""This process's counts."""

os.register_at_fork(after_in_child=counters.clear)


WARNING_INTERVAL = 60.0
"""Seconds between two warnings of a kind."""

_fan_outs = logging.getLogger("realtime.hub")
_published = logging.getLogger("realtime.outbox")

_next: dict[str, float] = {}
"""When each kind of warning may be logged again."""


def note_fan_out(topic: Topic, width: int) -> None:
    """Warn if one message goes to very many mailboxes: `WARN_FAN_OUT`."""
    if 0 < conf.WARN_FAN_OUT < width and is_due("fan-out"):
        what = "a message to %s goes to %d mailboxes here, more than WARN_FAN_OUT = %d"
        _fan_outs.warning(what, topic, width, conf.WARN_FAN_OUT)


def note_published(messages: Sequence[Message]) -> None:
    """Warn if very many messages are published together: `WARN_PUBLISH`."""
    if 0 < conf.WARN_PUBLISH < len(messages) and is_due("publish"):
        what = "%d messages are published together, more than WARN_PUBLISH = %d; the first to %s"
        _published.warning(what, len(messages), conf.WARN_PUBLISH, messages[0].topic)


def is_due(kind: str) -> bool:
    """Return True if a warning of this kind may be logged, at most once in WARNING_INTERVAL."""
    now = monotonic()
    if now < _next.get(kind, 0.0):
        return False
    _next[kind] = now + WARNING_INTERVAL
    return True
