"""Fingerprints of declarations, which tell one deployed version of a project from another.

A message to a model's own topic carries the fingerprint of its process's declaration of the
model. `foreign_code` compares it with the fingerprint of the receiving process.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cache
from types import CodeType
from typing import Any

from invalidation.tracking.declarations import Declaration
from realtime.messages.message import Message

EXTRA_KEY = "code"
"""The key in `Message.extra` that holds fingerprints by model label."""

_LENGTH = 12


@cache
def fingerprint(declaration: Declaration) -> str:
    """Return a short text that differs if the declared topics of the rows may differ."""
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


def with_fingerprint(message: Message, declaration: Declaration) -> Message:
    """Return the message to a model's own topic with its declaration's fingerprint in `extra`."""
    extra = message.extra if isinstance(message.extra, dict) else {}
    said = {**extra, EXTRA_KEY: {declaration.label: fingerprint(declaration)}}
    return replace(message, extra=said)


def _code_of(function: Any) -> object:
    code = getattr(function, "__code__", None)
    name = f"{function.__module__}.{getattr(function, '__qualname__', type(function).__name__)}"
    return (name, _spelled(code)) if isinstance(code, CodeType) else name


def _spelled(code: CodeType) -> object:
    # Without the file's path, which differs between machines.
    constants = [_spelled(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return code.co_code.hex(), code.co_names, constants
