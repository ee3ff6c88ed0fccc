"""Rules: who may watch what. Without a rule, nobody may.

A rule is registered for a family, or for a family and the first parts of its keys, and the most
specific one answers:

    @allow("list")                 asked for list:5              rule(user, "5")
    @allow("model:shop.order")     asked for model:shop.order    rule(user)
    @allow("object:shop.order")    asked for object:shop.order/7 rule(user, "7")

A rule receives the rest of the key as arguments, each converted to the type that it annotates. A
key that does not convert, or is not the canonical spelling of what it converts to, is denied: a
client that watched `list:05` would never hear of `list:5`.
"""

from __future__ import annotations

import inspect
import logging
import typing
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from asgiref.sync import async_to_sync, sync_to_async

from realtime.blocking import off_loop
from realtime.exceptions import InvalidRule, InvalidTopic
from realtime.topics import Topic, encode_part

logger = logging.getLogger("realtime.access")

FAILED = "the rule for %s raised; the answer is no"

Rule = Callable[..., bool] | Callable[..., Awaitable[bool]]
R = TypeVar("R", bound=Rule)


def allow(pattern: str) -> Callable[[R], R]:
    """Register the decorated function as the rule of a family: `@allow("list")`.

    It is called as `rule(user, *parts)` and returns whether that user may watch. It may be async.
    Raise InvalidRule when it can never be asked.
    """

    def register(function: R) -> R:
        prefix = _prefix(pattern)
        known = _rules.get(prefix)
        if known is not None and known.function is not function:
            raise InvalidRule(
                f"{pattern!r} has the rule {known.function.__qualname__} already;"
                f" expected one, got {function.__qualname__} as well"
            )
        _rules[prefix] = _Asked(function, _types_of(function))
        return function

    return register


def allowed(user: object, topic: str) -> bool:
    """Return whether `user` may watch `topic`; views can share the answer.

    False for a topic without a rule, a bare family, a key that does not convert, and a rule that
    raises (which is logged).
    """
    question = _question(topic)
    if question is None:
        return False
    asked, arguments = question
    call = async_to_sync(asked.function) if asked.is_async else asked.function
    try:
        return bool(call(user, *arguments))
    except Exception:
        logger.exception(FAILED, topic)
        return False


async def aallowed(user: object, topic: str) -> bool:
    """Return whether `user` may watch `topic`, from async code in a request."""
    return await _answer(user, topic, sync_to_async)


async def may_watch(user: object, topic: str) -> bool:
    """Return whether `user` may watch `topic`, asking off the event loop, for transports."""
    return await _answer(user, topic, lambda rule: lambda *args: off_loop(rule, *args))


@dataclass(frozen=True, slots=True)
class _Asked:
    """A rule, and the types of the parts that it takes."""

    function: Callable[..., Any]
    types: tuple[Any, ...]

    @property
    def is_async(self) -> bool:
        return inspect.iscoroutinefunction(self.function)


_rules: dict[tuple[str, ...], _Asked] = {}


async def _answer(
    user: object, topic: str, unblocked: Callable[[Any], Callable[..., Awaitable[Any]]]
) -> bool:
    question = _question(topic)
    if question is None:
        return False
    asked, arguments = question
    call = asked.function if asked.is_async else unblocked(asked.function)
    try:
        return bool(await call(user, *arguments))
    except Exception:
        logger.exception(FAILED, topic)
        return False


def _question(topic: str) -> tuple[_Asked, list[Any]] | None:
    """Find the rule to ask and its arguments; None where the answer is no."""
    try:
        asked_of = Topic(topic)
    except InvalidTopic:
        return None
    if asked_of.is_family:
        return None
    path = (asked_of.name, *asked_of.parts)
    for length in range(len(path), 0, -1):
        if path[:length] in _rules:
            asked = _rules[path[:length]]
            arguments = _converted(path[length:], asked.types)
            return None if arguments is None else (asked, arguments)
    return None


def _converted(parts: Sequence[str], types: Sequence[Any]) -> list[Any] | None:
    if len(parts) != len(types):
        return None
    try:
        values = [msgspec.convert(p, t, strict=False) for p, t in zip(parts, types, strict=True)]
        spelled = [encode_part(value) for value in values]
    except (msgspec.ValidationError, InvalidTopic):
        return None
    return values if spelled == [encode_part(part) for part in parts] else None


def _prefix(pattern: object) -> tuple[str, ...]:
    try:
        topic = Topic(pattern if isinstance(pattern, str) and ":" in pattern else f"{pattern}:")
    except InvalidTopic as error:
        raise InvalidRule(f"expected a family like 'list', got {pattern!r}") from error
    return (topic.name, *topic.parts)


def _types_of(function: Callable[..., Any]) -> tuple[Any, ...]:
    """Return the types that a rule's parameters behind the user annotate; text where none."""
    parameters = list(inspect.signature(function).parameters.values())
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if not parameters or any(p.kind not in positional for p in parameters):
        raise InvalidRule(
            f"expected a rule that takes (user, part, …), got"
            f" {function.__qualname__}{inspect.signature(function)}"
        )
    names = [parameter.name for parameter in parameters[1:]]
    hints = _hints(function, names)
    return tuple(hints.get(name, str) for name in names)


def _hints(function: Callable[..., Any], names: Sequence[str]) -> dict[str, Any]:
    # Only the key's parameters are resolved: the user's annotation may name a type that is
    # imported for type checkers alone.
    written = {
        name: function.__annotations__[name] for name in names if name in function.__annotations__
    }
    holder = type("Hints", (), {"__annotations__": written})
    try:
        hints = typing.get_type_hints(holder, globalns=getattr(function, "__globals__", {}))
        for hint in hints.values():
            msgspec.json.schema(hint)
    except (NameError, TypeError) as error:
        raise InvalidRule(
            f"expected {function.__qualname__} to annotate the key's parts with types that text"
            f" converts to (int, str, UUID, date, …): {error}"
        ) from error
    return hints
