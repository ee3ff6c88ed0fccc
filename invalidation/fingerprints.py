"""Telling one version of a project's declarations from another.

While a new version is deployed, processes of the old one still write. They publish the topics that
they know, not those that the new one has declared since, and its clients would never hear. So each
message to a model's own topic carries a fingerprint of what its process has declared for the model,
and a process that sees another one resets the model's families for its own clients.

A process that does not track a model at all says nothing of it: declare first, and use in the next
deployment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from types import CodeType
from typing import Any

from invalidation.declarations import Declaration
from invalidation.tracking import declarations
from realtime.messages.message import Message, Reset
from realtime.messages.topics import Topic

KEY = "code"
"""Under which a fingerprint stands in a message's `extra`, by model label."""

_LENGTH = 12

_LOST = frozenset(
    {Reset.BACKEND_RESTART, Reset.HISTORY_EXPIRED, Reset.UNKNOWN_CURSOR, Reset.OVERFLOW}
)
"""Why a backend resets a topic of which messages are lost, with what they said."""


@cache
def fingerprint(declaration: Declaration) -> str:
    """Return a short text that changes when what the rows belong to may have changed."""
    parts = [
        declaration.label,
        *sorted(map(str, declaration.templates)),
        *sorted(f"{end.column}>{end.label}" for end in declaration.ends),
        *sorted(
            repr((sorted(rule.columns), sorted(rule.families), _code_of(rule.function)))
            for rule in declaration.computed
        ),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:_LENGTH]


class Foreign:
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


def marked(message: Message, declaration: Declaration) -> Message:
    """Return the message to a model's own topic with the fingerprint of its declaration."""
    extra = message.extra if isinstance(message.extra, dict) else {}
    said = {**extra, KEY: {declaration.label: fingerprint(declaration)}}
    return replace(message, extra=said)


def _code_of(function: Any) -> object:
    code = getattr(function, "__code__", None)
    name = f"{function.__module__}.{getattr(function, '__qualname__', type(function).__name__)}"
    return (name, _spelled(code)) if isinstance(code, CodeType) else name


def _spelled(code: CodeType) -> object:
    # Not where it stands: two machines may have it in different folders.
    constants = [_spelled(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return code.co_code.hex(), code.co_names, constants
