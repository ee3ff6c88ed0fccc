"""Ask the rules, for views and for connections.

The questions of a frame are asked together: sync functions run one after another in one thread, and
a rule with `many` is called once. A rule that raises or times out denies. After a timeout the
remaining rules of the batch are asked again in another thread.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, Generic, TypeVar

from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async

from realtime.access.rule_threads import await_in_time, in_time, inside
from realtime.access.rules import RuleQuestion, question_of
from realtime.access.signatures import name_of
from realtime.conf import conf
from realtime.telemetry import counters

logger = logging.getLogger("realtime.access")

MOST_CALLS = 50
"""Calls at most in one visit to a thread; one deadline is for all of them."""

T = TypeVar("T")


class RuleAnswer(Enum):
    """The answer of a rule. FAILED: it raised or timed out."""

    YES = "yes"
    NO = "no"
    FAILED = "failed"


RuleAnswers = dict[str, RuleAnswer]


@dataclass(frozen=True, slots=True, eq=False)
class Call(Generic[T]):
    """One call of a project's function, for some topics; `read` splits the result by topic.

    `name` is how logs call the function: the rule, or its `depends`.
    """

    name: str
    function: Callable[..., Any]
    arguments: Sequence[Any]
    topics: Sequence[str]
    read: Callable[[Any], Mapping[str, T]]

    @property
    def is_async(self) -> bool:
        """Whether the result must be awaited."""
        return iscoroutinefunction(self.function)


Heard = dict[Call[T], Mapping[str, T]]
"""Call -> its results by topic: none if it raised. A call that hangs is missing."""


def allowed(user: object, topic: str) -> bool:
    """Return whether `user` may watch `topic`; views can share the answer.

    False for a topic without a rule, a bare family, a key that does not convert, and a rule that
    raises (which is logged).
    """
    calls = _rule_calls(user, [topic])
    heard: Heard[RuleAnswer] = {}
    if any(call.is_async for call in calls):
        async_to_sync(_make_async)(calls, heard)
    else:
        _make(calls, heard)
    return _merged(heard).get(topic) is RuleAnswer.YES


async def aallowed(user: object, topic: str) -> bool:
    """Return whether `user` may watch `topic`, from async code in a request."""
    calls = _rule_calls(user, [topic])
    heard: Heard[RuleAnswer] = {}
    if any(call.is_async for call in calls):
        await _make_async(calls, heard)
    elif calls:
        await sync_to_async(_make)(calls, heard)
    return _merged(heard).get(topic) is RuleAnswer.YES


async def ask_all(user: object, topics: Iterable[str]) -> RuleAnswers:
    """Return the rules' answers, asked off the event loop, within RULE_TIMEOUT each.

    NO for a topic without a rule, or with a key that does not convert.
    """
    answers = dict.fromkeys(topics, RuleAnswer.NO)
    calls = _rule_calls(user, answers)
    answers |= {topic: RuleAnswer.FAILED for call in calls for topic in call.topics}
    answers |= await make_all(calls)
    counters.answers.update(answer.value for answer in answers.values())
    return answers


async def make_all(calls: Sequence[Call[T]]) -> dict[str, T]:
    """Make the calls off the event loop, within RULE_TIMEOUT; return the results by topic.

    Topics whose call raised or timed out are logged and missing. A function that hangs is not
    called again; the other calls of its batch are made again.
    """
    found: dict[str, T] = {}
    left = sorted(calls, key=lambda call: not call.is_async)
    while left:
        batch = _next_batch(left)
        heard = await _make_in_time(batch)
        found |= _merged(heard)
        left = [call for call in left if call not in heard]
        hanging = next((call.function for call in batch if call not in heard), None)
        if hanging is not None:
            _log_late([call for call in left if call.function is hanging])
            left = [call for call in left if call.function is not hanging]
    return found


def _next_batch(calls: Sequence[Call[T]]) -> Sequence[Call[T]]:
    """Return the next calls to make under one deadline: of one async function, or sync ones."""
    first = calls[0]
    if first.is_async:
        return [call for call in calls if call.function is first.function]
    return calls[:MOST_CALLS]


async def _make_in_time(batch: Sequence[Call[T]]) -> Heard[T]:
    heard: Heard[T] = {}
    with suppress(TimeoutError):
        if batch[0].is_async:
            await await_in_time(_make_async(batch, heard))
        else:
            await in_time(_make, batch, heard)
    # A copy: a function that timed out may still add its result to `heard` later.
    return dict(heard)


def _make(calls: Iterable[Call[T]], heard: Heard[T]) -> None:
    for call in calls:
        try:
            with inside(call.function):
                result = _no_coroutine(call.function, call.function(*call.arguments))
                # A queryset is evaluated here, in a thread that may block.
                heard[call] = call.read(result)
        except Exception as error:
            heard[call] = _nothing(call, error)


async def _make_async(calls: Iterable[Call[T]], heard: Heard[T]) -> None:
    for call in calls:
        try:
            heard[call] = call.read(await call.function(*call.arguments))
        except Exception as error:
            heard[call] = _nothing(call, error)


def _nothing(call: Call[T], error: Exception) -> Mapping[str, T]:
    named = ", ".join(call.topics[:3])
    logger.error("%s for %s raised; the answer is no", call.name, named, exc_info=error)
    return {}


def _log_late(calls: Iterable[Call[T]]) -> None:
    calls = list(calls)
    topics = [topic for call in calls for topic in call.topics]
    counters.answers["late"] += len(topics)
    logger.error(
        "%s for %s has not answered within %g seconds; the answer is no",
        calls[0].name,
        ", ".join(topics[:3]),
        conf.RULE_TIMEOUT,
    )


def _merged(heard: Heard[T]) -> dict[str, T]:
    return {topic: value for each in heard.values() for topic, value in each.items()}


def _no_coroutine(function: Callable[..., Any], result: Any) -> Any:
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        # An awaitable is true, whatever its result would be.
        raise TypeError(
            f"expected {name_of(function)} to return an answer, or to be an `async def`,"
            f" got {result!r}"
        )
    return result


def _rule_calls(user: object, topics: Iterable[str]) -> list[Call[RuleAnswer]]:
    """Return the calls for these topics, grouped by rule."""
    groups: dict[int, dict[str, RuleQuestion]] = {}
    for topic in topics:
        question = question_of(topic)
        if question is not None:
            groups.setdefault(id(question.asked), {})[topic] = question
    return [call for questions in groups.values() for call in _calls_of(user, questions)]


def _calls_of(user: object, questions: Mapping[str, RuleQuestion]) -> Iterator[Call[RuleAnswer]]:
    """Yield the calls of one rule: a single one with `many`, else one for each topic."""
    asked = next(iter(questions.values())).asked
    if asked.many:
        keys = {topic: asked.key(each.arguments) for topic, each in questions.items()}
        arguments = user, list(keys.values())
        yield Call("the rule", asked.function, arguments, tuple(keys), partial(_read_many, keys))
        return
    for topic, question in questions.items():
        arguments = user, *question.arguments
        yield Call("the rule", asked.function, arguments, (topic,), partial(_read_one, topic))


def _read_one(topic: str, result: Any) -> RuleAnswers:
    return {topic: RuleAnswer.YES if result else RuleAnswer.NO}


def _read_many(keys: Mapping[str, Any], result: Any) -> RuleAnswers:
    granted = set(result)
    return {
        topic: RuleAnswer.YES if key in granted else RuleAnswer.NO for topic, key in keys.items()
    }
