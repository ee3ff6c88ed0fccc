"""The messages that a node remembers for replays are bounded, the oldest go first."""

from __future__ import annotations

import pytest

from realtime.backends.redis import topic_state
from realtime.backends.redis.codec import SentMessage, SinceReply
from realtime.backends.redis.positions import ServerPosition
from realtime.backends.redis.topic_state import MemoryBudget, TopicState
from realtime.messages.message import Message
from realtime.messages.topics import Topic

START = ServerPosition("0" * 10, 0, 0)


def sent(number: int, rows: int, **more: object) -> SentMessage:
    changes = {"a.b": {str(row): "updated" for row in range(rows)}}
    message = Message(Topic("list:5"), changes, **more)  # type: ignore[arg-type]
    return SentMessage(number, number - 1, number, number, message)


def live(topic: str) -> TopicState:
    """Return a live topic without messages."""
    watched = TopicState(Topic(topic), START)
    watched.answer(SinceReply(START, 0, "", []))
    watched.release()
    return watched


def numbers(watched: TopicState, since: ServerPosition) -> list[int] | None:
    recent = watched.recent(since)
    return recent if recent is None else [each.number for each in recent]


def receive(kept: MemoryBudget, watched: TopicState, *all_sent: SentMessage) -> None:
    for each in all_sent:
        watched.receive(each)
        kept.add(watched, [each])


def test_the_oldest_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of any topic; a client from before it does not get an empty replay."""
    monkeypatch.setattr(topic_state, "MOST_IN_MEMORY", 4)
    kept, quiet, busy = MemoryBudget(), live("list:5"), live("list:6")

    receive(kept, quiet, sent(1, 1))
    assert numbers(quiet, START) == [1]
    receive(kept, busy, sent(1, 1), sent(2, 1))

    assert numbers(quiet, START) is None
    assert numbers(quiet, sent(1, 1).behind(START.server)) == []
    assert numbers(busy, START) == [1, 2]


def test_rows_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large message counts as many; one that is too large is not remembered."""
    monkeypatch.setattr(topic_state, "MOST_IN_MEMORY", 10)
    kept, topic = MemoryBudget(), live("list:5")

    receive(kept, topic, sent(1, 1), sent(2, 7))
    assert numbers(topic, START) == [1, 2]
    receive(kept, topic, sent(3, 1))
    assert numbers(topic, sent(1, 1).behind(START.server)) == [2, 3]
    assert numbers(topic, START) is None
    receive(kept, topic, sent(4, 50))
    assert numbers(topic, sent(3, 1).behind(START.server)) is None
    receive(kept, topic, sent(5, 1))
    assert numbers(topic, sent(4, 1).behind(START.server)) == [5]


def test_images_are_not_remembered() -> None:
    """Clients never receive them, and they are large."""
    topic = live("list:5")

    topic.receive(sent(1, 1, extra={"images": ["large"]}))

    recent = topic.recent(START)
    assert recent is not None
    assert [each.message.extra for each in recent] == [None]
