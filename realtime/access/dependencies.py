"""On which topics the answers of rules depend: asking their `depends`, all of a frame together."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from asgiref.sync import iscoroutinefunction

from realtime.access.rule_threads import await_in_time, in_time, inside
from realtime.access.rules import Question, question_of
from realtime.exceptions import InvalidTopic
from realtime.messages.topics import Topic

logger = logging.getLogger("realtime.access")

Found = dict[str, frozenset[Topic] | None]
Asking = list[tuple[str, Question]]


async def dependencies_of(user: object, topics: Iterable[str]) -> Found:
    """Return on what the answer for each topic depends; None, and a log, where that is not said."""
    found: Found = {}
    waiting: Asking = []
    threaded: Asking = []
    for topic in topics:
        question = question_of(topic)
        if question is None or question.asked.depends is None:
            found[topic] = frozenset()
        elif iscoroutinefunction(question.asked.depends):
            waiting.append((topic, question))
        else:
            threaded.append((topic, question))
    asked = [*waiting, *threaded]
    while waiting:
        heard: Found = {}
        with suppress(TimeoutError):
            await await_in_time(_ask_async(user, waiting, heard))
        waiting = _left(waiting, heard, found)
    while threaded:
        heard = {}
        with suppress(TimeoutError):
            await in_time(_ask_sync, user, threaded, heard)
        threaded = _left(threaded, heard, found)
    for topic, _ in asked:
        if found.setdefault(topic, None) is None:
            logger.error("on what %s depends is not known; the answer is no", topic)
    return found


def _left(asking: Asking, heard: Found, found: Found) -> Asking:
    """Return what is still to be asked: what was to come behind one that hangs, and not that one.

    What it says from here on is not heard.
    """
    found |= dict(heard)
    left = [(topic, question) for topic, question in asking if topic not in found]
    return [each for each in left if each[1].asked is not left[0][1].asked]


def _ask_sync(user: object, asking: Asking, found: Found) -> None:
    for topic, question in asking:
        depends: Any = question.asked.depends
        try:
            with inside(depends):
                found[topic] = _watchable(depends(user, *question.arguments))
        except Exception as error:
            _note_failed(topic, found, error)


async def _ask_async(user: object, asking: Asking, found: Found) -> None:
    for topic, question in asking:
        depends: Any = question.asked.depends
        try:
            found[topic] = _watchable(await depends(user, *question.arguments))
        except Exception as error:
            _note_failed(topic, found, error)


def _note_failed(topic: str, found: Found, error: Exception) -> None:
    logger.error("`depends` of the rule for %s raised", topic, exc_info=error)
    found[topic] = None


def _watchable(named: Iterable[str]) -> frozenset[Topic]:
    if isinstance(named, str):
        # It would be read as its letters.
        raise TypeError(f"expected `depends` to return a list of topics, got {named!r}")
    topics = frozenset(map(Topic, named))
    for topic in topics:
        if topic.is_family:
            raise InvalidTopic(f"expected topics with a key for `depends`, got {topic!r}")
    return topics
