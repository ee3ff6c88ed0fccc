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
                f"{pattern!r} has the rule {_name(known.function)} already;"
                f" expected one, got {_name(function)} as well"
            )
        types = _types_of(function)
        if len(prefix) == 1 and not types:
            raise InvalidRule(
                f"expected a rule of {pattern!r} to take the key's parts behind the user, got"
                f" {_name(function)}: a bare family is never watched, so it would never be asked"
            )
        _rules[prefix] = _Asked(function, types)
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
    call = async_to_sync(asked.function) if asked.is_async else asked.says_yes
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

    def says_yes(self, *args: object) -> bool:
        """Ask a rule that is not async. Its answer may be a query, so it is evaluated here."""
        answer = self.function(*args)
        if inspect.isawaitable(answer):
            if inspect.iscoroutine(answer):
                answer.close()
            # It would be true, whatever it was going to say.
            raise TypeError(
                f"expected {_name(self.function)} to return an answer, or to be an `async def`,"
                f" got {answer!r}"
            )
        return bool(answer)


_rules: dict[tuple[str, ...], _Asked] = {}


async def _answer(
    user: object, topic: str, unblocked: Callable[[Any], Callable[..., Awaitable[Any]]]
) -> bool:
    question = _question(topic)
    if question is None:
        return False
    asked, arguments = question
    call = asked.function if asked.is_async else unblocked(asked.says_yes)
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
    text = pattern if isinstance(pattern, str) else ""
    try:
        topic = Topic(text if ":" in text else f"{text}:")
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
            f" {_name(function)}{inspect.signature(function)}"
        )
    # Only the key's parameters are resolved: the user's annotation may name a type that is
    # imported for type checkers alone.
    hints = _hints(function, parameters[1:])
    return tuple(hints.get(parameter.name, str) for parameter in parameters[1:])


def _hints(function: Callable[..., Any], parameters: Sequence[inspect.Parameter]) -> dict[str, Any]:
    written = {p.name: p.annotation for p in parameters if p.annotation is not p.empty}
    holder = type("Hints", (), {"__annotations__": written})
    # What is decorated names types of its own module, not of the decorator's.
    inner = inspect.unwrap(function)
    names = getattr(inner, "__globals__", None) or getattr(inner.__call__, "__globals__", {})
    try:
        hints = typing.get_type_hints(holder, globalns=names)
        for hint in hints.values():
            msgspec.json.schema(hint)
    except (NameError, TypeError) as error:
        raise InvalidRule(
            f"expected {_name(function)} to annotate the key's parts with types that text"
            f" converts to (int, str, UUID, date, …): {error}"
        ) from error
    return hints


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", None) or repr(function)
