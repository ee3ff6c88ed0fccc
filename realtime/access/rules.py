"""The registry of rules, which say which users may watch which topics. No rule means no.

A rule is registered for a family, or for a family and the first parts of its keys. The most
specific one answers:

    @allow("list")                 asked for list:5              rule(user, "5")
    @allow("model:shop.order")     asked for model:shop.order    rule(user)
    @allow("object:shop.order")    asked for object:shop.order/7 rule(user, "7")

A rule receives the rest of the key as arguments, each converted to its annotated type. A key that
does not convert, or is not the canonical text of its value, is denied: a client that watched
`list:05` would never receive the messages of `list:5`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from realtime.access.signatures import convert, name_of, types_of, types_of_many
from realtime.exceptions import InvalidRule, InvalidTopic
from realtime.messages.topics import RESERVED, Topic

Rule = Callable[..., Any] | Callable[..., Awaitable[Any]]
Depends = Callable[..., Iterable[str]] | Callable[..., Awaitable[Iterable[str]]]
R = TypeVar("R", bound=Rule)


def allow(pattern: str, *, depends: Depends | None = None, many: bool = False) -> Callable[[R], R]:
    """Register the decorated function as the rule of a family: `@allow("list")`.

    It is called as `rule(user, *parts)` and returns whether the user may watch the topic. It may be
    async.

    `depends(user, *parts)` returns the topics on which the answer depends. When one of them changes
    the rule is asked again, and clients that it refuses then receive `revoked`.

    With `many` the rule is called once for all topics of a frame: `rule(user, keys)`. The
    annotation of `keys` names the type of a key: `list[int]`, or `list[tuple[int, str]]` for keys
    of several parts. It returns the keys that the user may watch. `depends` still takes the parts
    of one key.

    Raise InvalidRule for a rule that could never be asked.
    """

    def register(function: R) -> R:
        prefix = _prefix(pattern)
        known = _rules.get(prefix)
        if known is not None and known.function is not function:
            raise InvalidRule(
                f"{pattern!r} has the rule {name_of(known.function)} already;"
                f" expected one, got {name_of(function)} as well"
            )
        types = types_of_many(function) if many else types_of(function)
        if len(prefix) == 1 and not types:
            raise InvalidRule(
                f"expected a rule of {pattern!r} to take the key's parts behind the user, got"
                f" {name_of(function)}: a bare family is never watched, so it would never be asked"
            )
        _rules[prefix] = Asked(function, types, depends, many)
        return function

    return register


@dataclass(frozen=True, slots=True)
class Asked:
    """A registered rule, the types of the parts that it takes, and its `depends`."""

    function: Callable[..., Any]
    types: tuple[Any, ...]
    depends: Callable[..., Any] | None = None
    many: bool = False

    def key(self, arguments: list[Any]) -> Any:
        """Return the key for a rule with `many`: the single argument, or a tuple of several."""
        return arguments[0] if len(self.types) == 1 else tuple(arguments)


@dataclass(frozen=True, slots=True)
class RuleQuestion:
    """A rule and its arguments for one topic."""

    asked: Asked
    arguments: list[Any]


_rules: dict[tuple[str, ...], Asked] = {}


def question_of(topic: str) -> RuleQuestion | None:
    """Return a topic's rule and arguments; None if there is no rule or the key does not convert."""
    path = path_of(topic)
    prefix = path and _prefix_with_rule(path)
    if not path or not prefix:
        return None
    asked = _rules[prefix]
    arguments = convert(path[len(prefix) :], asked.types)
    return None if arguments is None else RuleQuestion(asked, arguments)


def has_rule(topic: str) -> bool:
    """Return whether a rule is registered for this topic, though its key may not convert."""
    path = path_of(topic)
    return path is not None and _prefix_with_rule(path) is not None


@lru_cache(maxsize=4_096)
def path_of(topic: str) -> tuple[str, ...] | None:
    """Return a topic's family and parts; None if clients cannot watch it, or it is no topic.

    A connect needs it several times, and many clients watch the same topics.
    """
    try:
        found = Topic(topic)
    except InvalidTopic:
        return None
    return None if found.is_family or found.name == RESERVED else (found.name, *found.parts)


def _prefix_with_rule(path: tuple[str, ...]) -> tuple[str, ...] | None:
    lengths = range(len(path), 0, -1)
    return next((path[:length] for length in lengths if path[:length] in _rules), None)


def _prefix(pattern: object) -> tuple[str, ...]:
    text = pattern if isinstance(pattern, str) else ""
    try:
        topic = Topic(text if ":" in text else f"{text}:")
    except InvalidTopic as error:
        raise InvalidRule(f"expected a family like 'list', got {pattern!r}") from error
    if topic.name == RESERVED:
        raise InvalidRule(f"expected another family than {RESERVED!r}, which is reserved")
    return (topic.name, *topic.parts)
