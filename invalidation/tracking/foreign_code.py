"""Reset families when a process with other declarations has written.

During a deployment processes of the old version still write. They publish to the topics that they
know, and not to topics that the new version has added, so clients of the new version would miss
those changes. A process that receives a fingerprint other than its own therefore resets the
model's families for its own clients.

A process that does not track a model at all publishes nothing about it: add the declaration in one
deployment, and use its topics in the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from invalidation.tracking.declarations import Declaration
from invalidation.tracking.fingerprints import EXTRA_KEY, fingerprint
from invalidation.tracking.registry import declarations
from realtime.messages.message import Message, Reset
from realtime.messages.topics import Topic

_LOST = frozenset(
    {Reset.BACKEND_RESTART, Reset.HISTORY_EXPIRED, Reset.UNKNOWN_CURSOR, Reset.OVERFLOW}
)
"""The reasons of a reset after a backend has lost messages, and fingerprints with them."""


class ForeignCode:
    """A hub observer of messages from processes with other declarations."""

    def topics(self) -> Iterable[Topic]:
        """Return the topics of all tracked models: each change is published to one."""
        return [declaration.model_topic for declaration in declarations()]

    def missed(self) -> None:
        """Do nothing: the hub resets all connected clients when messages may have been lost."""

    def observe(self, message: Message) -> Iterator[Message]:
        """Give resets of a model's families if the message was made with another declaration.

        Give them too if such a message may have been lost: a backend of several servers can lose
        the messages of one, and the model's own topic may be on another server than its families.
        """
        said: Any = message.extra.get(EXTRA_KEY) if isinstance(message.extra, dict) else None
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
