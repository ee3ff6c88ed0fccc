"""The errors of `realtime`.

RealtimeError
├── InvalidTopic      (also a ValueError)  a topic's text or parts are not well formed
├── InvalidMessage    (also a ValueError)  a message holds a verb, pk or reset that cannot be sent
├── InvalidCursor     (also a ValueError)  a cursor's text is not one that this library made
├── InvalidRule       (also a TypeError)   `allow()` was given an object that cannot be a rule
├── AlreadyRegistered (also a ValueError)  a name in a registry has another entry
├── CannotReplay      the messages behind a cursor are not known: its holder is reset
├── BackendMissing    (also an ImproperlyConfigured)  REALTIME["PUBSUB"] names no usable backend
├── UpstreamLost      the connection to the backend broke: later messages may have been missed
├── NotSent           a backend did not take messages, which wait for the next attempt
└── PartlySent        (a NotSent)  a part of a backend did not take its share
"""

from __future__ import annotations

from collections.abc import Sequence

from django.core.exceptions import ImproperlyConfigured


class RealtimeError(Exception):
    """The base of every error of this package."""


class InvalidTopic(RealtimeError, ValueError):
    """A topic is not `family:key` in its one canonical spelling."""


class InvalidMessage(RealtimeError, ValueError):
    """A message cannot be sent as it is."""


class InvalidCursor(RealtimeError, ValueError):
    """A cursor's text was not made by this library."""


class InvalidRule(RealtimeError, TypeError):
    """A rule given to `allow()` could never be asked."""


class AlreadyRegistered(RealtimeError, ValueError):
    """Two packages, or two parts of one, registered different entries under one name."""


class BackendMissing(RealtimeError, ImproperlyConfigured):
    """REALTIME["PUBSUB"] does not name a backend that can be made."""


class CannotReplay(RealtimeError):
    """The messages behind a cursor are not proven; its holder gets a reset with `reason`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UpstreamLost(RealtimeError):
    """A connection to the backend broke, and messages may have been missed."""


class NotSent(RealtimeError):
    """A backend did not take messages; its error is the cause. They are sent again later."""


class PartlySent(NotSent):
    """A backend took messages, except those in `unsent`, whose part of it is away."""

    def __init__(self, what: str, unsent: Sequence[object]) -> None:
        super().__init__(what)
        self.unsent = unsent
