"""Asking the rules: for views, and for whatever serves clients.

All questions of a frame are asked together: rules that are not async one after another in one
thread, and a rule for many once. A rule that raises, or takes too long, has said no. What was to be
asked behind it is asked again, in another thread.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from enum import Enum
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async

from realtime.access.rule_threads import await_in_time, in_time, inside
from realtime.access.rules import Asked, Question, question_of
from realtime.access.signatures import name_of
from realtime.conf import conf
from realtime.telemetry import counters

logger = logging.getLogger("realtime.access")

MOST = 50
"""Questions that one hop into a thread answers; a deadline is for all of them."""


class Answer(Enum):
    """What a rule said. FAILED is no answer: it raised, or took too long."""

    YES = "yes"
    NO = "no"
    FAILED = "failed"


Answers = dict[str, Answer]


def allowed(user: object, topic: str) -> bool:
    """Return whether `user` may watch `topic`; views can share the answer.

    False for a topic without a rule, a bare family, a key that does not convert, and a rule that
    raises (which is logged).
    """
    question = question_of(topic)
    if question is None:
        return False
    answers: Answers = {}
    ask = async_to_sync(_ask_async) if question.asked.is_async else _ask_sync
    ask(user, question.asked, {topic: question}, answers)
    return answers[topic] is Answer.YES


async def aallowed(user: object, topic: str) -> bool:
    """Return whether `user` may watch `topic`, from async code in a request."""
    question = question_of(topic)
    if question is None:
        return False
    answers: Answers = {}
    ask = _ask_async if question.asked.is_async else sync_to_async(_ask_sync)
    await ask(user, question.asked, {topic: question}, answers)
    return answers[topic] is Answer.YES


async def ask_all(user: object, topics: Iterable[str]) -> Answers:
    """Return what the rules say of each topic, asking off the event loop, each in time.

    NO where there is no rule, or a key does not convert.
    """
    answers: Answers = {}
    waiting, threaded = [], []
    for asked, questions in _by_rule(topics, answers):
        if asked.is_async:
            waiting.append((asked, questions))
        else:
            threaded.append((asked, questions))
    for asked, questions in waiting:
        _note(await _within(user, asked, questions), questions, answers)
    while batch := _next_batch(threaded, answers):
        heard = await _threaded(user, batch)
        answers.update(heard)
        for asked, questions in batch:
            if not questions.keys() <= heard.keys():
                # It hangs, so it is asked nothing more; those behind it were not asked yet.
                _note({}, [each for each in _of(asked, threaded) if each not in answers], answers)
                break
    counters.answers.update(answer.value for answer in answers.values())
    return answers


Batch = list[tuple[Asked, dict[str, Question]]]


def _by_rule(
    topics: Iterable[str], answers: Answers
) -> Iterator[tuple[Asked, dict[str, Question]]]:
    groups: dict[int, tuple[Asked, dict[str, Question]]] = {}
    for topic in topics:
        question = question_of(topic)
        if question is None:
            answers[topic] = Answer.NO
        else:
            group = groups.setdefault(id(question.asked), (question.asked, {}))
            group[1][topic] = question
    yield from groups.values()


def _next_batch(groups: Batch, answers: Answers) -> Batch:
    """Return what to ask next, no more than is answered in time; one for many is one question."""
    batch: Batch = []
    room = MOST
    for asked, questions in groups:
        left = [topic for topic in questions if topic not in answers]
        part = left if asked.many else left[:room]
        if part and room:
            batch.append((asked, {topic: questions[topic] for topic in part}))
            room -= 1 if asked.many else len(part)
    return batch


def _of(asked: Asked, groups: Batch) -> Iterable[str]:
    return next(questions for each, questions in groups if each is asked)


async def _within(user: object, asked: Asked, questions: dict[str, Question]) -> Answers:
    heard: Answers = {}
    with suppress(TimeoutError):
        await await_in_time(_ask_async(user, asked, questions, heard))
    # What it says from here on is not heard.
    return dict(heard)


async def _threaded(user: object, batch: Batch) -> Answers:
    heard: Answers = {}
    with suppress(TimeoutError):
        await in_time(_ask_batch, user, batch, heard)
    # What the thread says from here on is not heard.
    return dict(heard)


def _note(heard: Answers, topics: Iterable[str], answers: Answers) -> None:
    answers.update(heard)
    late = [topic for topic in topics if topic not in heard]
    if late:
        counters.answers["late"] += len(late)
        logger.error(
            "the rule for %s has not answered within %g seconds; the answer is no",
            ", ".join(late[:3]),
            conf.RULE_TIMEOUT,
        )
        answers.update(dict.fromkeys(late, Answer.FAILED))


def _ask_batch(user: object, batch: Batch, answers: Answers) -> None:
    for asked, questions in batch:
        _ask_sync(user, asked, questions, answers)


def _ask_sync(user: object, asked: Asked, questions: dict[str, Question], answers: Answers) -> None:
    for topics, arguments in _calls(asked, questions):
        try:
            with inside(asked.function):
                found = _no_coroutine(asked, asked.function(user, *arguments))
                answers.update(_read(asked, found, topics, questions))
        except Exception as error:
            _note_failed(topics, answers, error)


async def _ask_async(
    user: object, asked: Asked, questions: dict[str, Question], answers: Answers
) -> None:
    for topics, arguments in _calls(asked, questions):
        try:
            found = await asked.function(user, *arguments)
            answers.update(_read(asked, found, topics, questions))
        except Exception as error:
            _note_failed(topics, answers, error)


def _calls(
    asked: Asked, questions: dict[str, Question]
) -> Iterator[tuple[Sequence[str], Sequence[Any]]]:
    """Give what to call the rule with, and for which topics."""
    if asked.many:
        yield tuple(questions), ([asked.key(each.arguments) for each in questions.values()],)
    else:
        for topic, question in questions.items():
            yield (topic,), question.arguments


def _read(
    asked: Asked, found: Any, topics: Sequence[str], questions: dict[str, Question]
) -> Answers:
    # A query is evaluated here, where it may block.
    if not asked.many:
        return {topics[0]: Answer.YES if found else Answer.NO}
    granted = set(found)
    return {
        topic: Answer.YES if asked.key(questions[topic].arguments) in granted else Answer.NO
        for topic in topics
    }


def _no_coroutine(asked: Asked, answer: Any) -> Any:
    if inspect.isawaitable(answer):
        if inspect.iscoroutine(answer):
            answer.close()
        # It would be true, whatever it was going to say.
        raise TypeError(
            f"expected {name_of(asked.function)} to return an answer, or to be an `async def`,"
            f" got {answer!r}"
        )
    return answer


def _note_failed(topics: Sequence[str], answers: Answers, error: Exception) -> None:
    what = ", ".join(topics[:3])
    logger.error("the rule for %s raised; the answer is no", what, exc_info=error)
    answers.update(dict.fromkeys(topics, Answer.FAILED))
