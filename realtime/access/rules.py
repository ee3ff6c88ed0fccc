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
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from realtime.access.signatures import convert, name_of, types_of
from realtime.exceptions import InvalidRule, InvalidTopic
from realtime.topics import RESERVED, Topic

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
                f"{pattern!r} has the rule {name_of(known.function)} already;"
                f" expected one, got {name_of(function)} as well"
            )
        types = types_of(function)
        if len(prefix) == 1 and not types:
            raise InvalidRule(
                f"expected a rule of {pattern!r} to take the key's parts behind the user, got"
                f" {name_of(function)}: a bare family is never watched, so it would never be asked"
            )
        _rules[prefix] = Asked(function, types)
        return function

    return register


@dataclass(frozen=True, slots=True)
class Asked:
    """A rule, and the types of the parts that it takes."""

    function: Callable[..., Any]
    types: tuple[Any, ...]

    @property
    def is_async(self) -> bool:
        """Must its answer be awaited?"""
        return inspect.iscoroutinefunction(self.function)

    def says_yes(self, *args: object) -> bool:
        """Ask a rule that is not async. Its answer may be a query, so it is evaluated here."""
        answer = self.function(*args)
        if inspect.isawaitable(answer):
            if inspect.iscoroutine(answer):
                answer.close()
            # It would be true, whatever it was going to say.
            raise TypeError(
                f"expected {name_of(self.function)} to return an answer, or to be an `async def`,"
                f" got {answer!r}"
            )
        return bool(answer)


_rules: dict[tuple[str, ...], Asked] = {}


def question_of(topic: str) -> tuple[Asked, list[Any]] | None:
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
            arguments = convert(path[length:], asked.types)
            return None if arguments is None else (asked, arguments)
    return None


def _prefix(pattern: object) -> tuple[str, ...]:
    text = pattern if isinstance(pattern, str) else ""
    try:
        topic = Topic(text if ":" in text else f"{text}:")
    except InvalidTopic as error:
        raise InvalidRule(f"expected a family like 'list', got {pattern!r}") from error
    if topic.name == RESERVED:
        raise InvalidRule(f"expected another family than {RESERVED!r}, which is nobody's to watch")
    return (topic.name, *topic.parts)
