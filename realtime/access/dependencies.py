"""Ask the rules' `depends` for the topics on which their answers depend, a frame at a time."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial

from realtime.access.evaluate import Call, make_all
from realtime.access.rules import question_of
from realtime.exceptions import InvalidTopic
from realtime.messages.topics import Topic

logger = logging.getLogger("realtime.access")

Found = dict[str, frozenset[Topic] | None]


async def dependencies_of(user: object, topics: Iterable[str]) -> Found:
    """Return the dependencies of each topic's answer; None, which is logged, if `depends` fails."""
    found: Found = {}
    calls: list[Call[frozenset[Topic] | None]] = []
    for topic in topics:
        question = question_of(topic)
        depends = None if question is None else question.asked.depends
        if question is None or depends is None:
            found[topic] = frozenset()
        else:
            arguments = user, *question.arguments
            read = partial(_watchable, topic)
            calls.append(Call("`depends` of the rule", depends, arguments, (topic,), read))
    found |= await make_all(calls)
    for call in calls:
        if found.setdefault(call.topics[0], None) is None:
            logger.error("on what %s depends is not known; the answer is no", call.topics[0])
    return found


def _watchable(topic: str, named: Iterable[str]) -> Found:
    if isinstance(named, str):
        # Iterating over text would give its letters.
        raise TypeError(f"expected `depends` to return a list of topics, got {named!r}")
    topics = frozenset(map(Topic, named))
    for each in topics:
        if each.is_family:
            raise InvalidTopic(f"expected topics with a key for `depends`, got {each!r}")
    return {topic: topics}
