"""Reset what a process with other declarations may not have told.

While a new version is deployed, processes of the old one still write. They publish the topics that
they know, not those that the new one has declared since, and its clients would never hear. So a
process that sees a fingerprint other than its own resets the model's families for its own clients.

A process that does not track a model at all says nothing of it: declare first, and use in the next
deployment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from invalidation.tracking.declarations import Declaration
from invalidation.tracking.fingerprints import KEY, fingerprint
from invalidation.tracking.registry import declarations
from realtime.messages.message import Message, Reset
from realtime.messages.topics import Topic

_LOST = frozenset(
    {Reset.BACKEND_RESTART, Reset.HISTORY_EXPIRED, Reset.UNKNOWN_CURSOR, Reset.OVERFLOW}
)
"""Why a backend resets a topic of which messages are lost, with what they said."""


class ForeignCode:
    """An observer that notices messages of processes with other declarations."""

    def topics(self) -> Iterable[Topic]:
        """Return every tracked model's own topic: each change is told to it."""
        return [declaration.model_topic for declaration in declarations()]

    def missed(self) -> None:
        """Take note that messages may have been lost: those who are connected are reset anyway."""

    def observe(self, message: Message) -> Iterator[Message]:
        """Reset a model's families if somebody else's rules have made the message.

        Or may have made one that was lost: a backend of several servers loses a part, and the
        model's own topic may be in another than its families.
        """
        said: Any = message.extra.get(KEY) if isinstance(message.extra, dict) else None
        if isinstance(said, dict):
            for declaration in declarations():
                theirs = said.get(declaration.label)
                if theirs is not None and theirs != fingerprint(declaration):
                    yield from _resets(declaration, message)
        elif message.reset in _LOST:
            for declaration in declarations():
                if declaration.model_topic == message.topic:
                    yield from _resets(declaration, message)


def _resets(declaration: Declaration, message: Message) -> Iterator[Message]:
    for family in declaration.families - {message.topic}:
        yield Message(family, reset=Reset.SERVER, cursor=message.cursor)
