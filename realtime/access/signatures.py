"""Read the types of a key's parts from a rule's signature, and convert keys to them."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from realtime.exceptions import InvalidRule, InvalidTopic
from realtime.messages.topics import encode_part


def types_of(function: Callable[..., Any]) -> tuple[Any, ...]:
    """Return the annotated types of a rule's parameters after the user; `str` without one."""
    parameters = list(inspect.signature(function).parameters.values())
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if not parameters or any(p.kind not in positional for p in parameters):
        raise InvalidRule(
            f"expected a rule that takes (user, part, …), got"
            f" {name_of(function)}{inspect.signature(function)}"
        )
    # Only the annotations of the key are resolved: that of the user may name a type that is
    # imported under TYPE_CHECKING.
    hints = _hints(function, parameters[1:])
    return tuple(hints.get(parameter.name, str) for parameter in parameters[1:])


def types_of_many(function: Callable[..., Any]) -> tuple[Any, ...]:
    """Return the types of a key's parts for a rule with `many`: `(user, keys: list[…])`.

    `list[int]` is for keys of one part, `list[tuple[int, str]]` for those of two.
    """
    types = types_of(function)
    keys = typing.get_args(types[0]) if len(types) == 1 else ()
    if not keys or typing.get_origin(types[0]) is not list:
        raise InvalidRule(
            f"expected a rule for many that takes (user, keys: list[int]), got"
            f" {name_of(function)}{inspect.signature(function)}"
        )
    is_tuple = typing.get_origin(keys[0]) is tuple
    return typing.get_args(keys[0]) if is_tuple else (keys[0],)


def _hints(function: Callable[..., Any], parameters: Sequence[inspect.Parameter]) -> dict[str, Any]:
    written = {p.name: p.annotation for p in parameters if p.annotation is not p.empty}
    holder = type("Hints", (), {"__annotations__": written})
    # A decorated function's annotations name types of its own module, not the decorator's.
    inner = inspect.unwrap(function)
    names = getattr(inner, "__globals__", None) or getattr(inner.__call__, "__globals__", {})
    try:
        hints = typing.get_type_hints(holder, globalns=names)
        for hint in hints.values():
            msgspec.json.schema(hint)
    except (NameError, TypeError) as error:
        raise InvalidRule(
            f"expected {name_of(function)} to annotate the key's parts with types that text"
            f" converts to (int, str, UUID, date, …): {error}"
        ) from error
    return hints


def name_of(function: Callable[..., Any]) -> str:
    """Return the name of a function for errors."""
    return getattr(function, "__qualname__", None) or repr(function)


def convert(parts: Sequence[str], types: Sequence[Any]) -> list[Any] | None:
    """Convert a key's parts; None if one does not convert or is not canonical (`05` for 5)."""
    if len(parts) != len(types):
        return None
    try:
        values = [msgspec.convert(p, t, strict=False) for p, t in zip(parts, types, strict=True)]
        spelled = [encode_part(value) for value in values]
    except (msgspec.ValidationError, InvalidTopic):
        return None
    return values if spelled == [encode_part(part) for part in parts] else None
