"""What a node remembers for those who come back is bounded, the oldest first."""

from __future__ import annotations

import pytest

from realtime.backends.redis import topic_state as kept_module
from realtime.backends.redis.codec import Answer, Sent
from realtime.backends.redis.positions import Mark
from realtime.backends.redis.topic_state import Kept, Watched
from realtime.messages.message import Message
from realtime.messages.topics import Topic

START = Mark("0" * 10, 0, 0)


def sent(number: int, rows: int, **more: object) -> Sent:
    changes = {"a.b": {str(row): "updated" for row in range(rows)}}
    message = Message(Topic("list:5"), changes, **more)  # type: ignore[arg-type]
    return Sent(number, number - 1, number, number, message)


def live(topic: str) -> Watched:
    """Return a topic that was told nothing yet."""
    watched = Watched(Topic(topic), START)
    watched.answer(Answer(START, 0, "", []))
    watched.release()
    return watched


def numbers(watched: Watched, since: Mark) -> list[int] | None:
    recent = watched.recent(since)
    return recent if recent is None else [each.number for each in recent]


def hear(kept: Kept, watched: Watched, *all_sent: Sent) -> None:
    for each in all_sent:
        watched.hear(each)
        kept.add(watched, [each])


def test_the_oldest_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of whichever topic; and who stood before it is not told that nothing was missed."""
    monkeypatch.setattr(kept_module, "MOST", 4)
    kept, quiet, busy = Kept(), live("list:5"), live("list:6")

    hear(kept, quiet, sent(1, 1))
    assert numbers(quiet, START) == [1]
    hear(kept, busy, sent(1, 1), sent(2, 1))

    assert numbers(quiet, START) is None
    assert numbers(quiet, sent(1, 1).behind(START.server)) == []
    assert numbers(busy, START) == [1, 2]


def test_rows_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """One large message takes the room of many; one that is too large is not remembered."""
    monkeypatch.setattr(kept_module, "MOST", 10)
    kept, topic = Kept(), live("list:5")

    hear(kept, topic, sent(1, 1), sent(2, 7))
    assert numbers(topic, START) == [1, 2]
    hear(kept, topic, sent(3, 1))
    assert numbers(topic, sent(1, 1).behind(START.server)) == [2, 3]
    assert numbers(topic, START) is None
    hear(kept, topic, sent(4, 50))
    assert numbers(topic, sent(3, 1).behind(START.server)) is None
    hear(kept, topic, sent(5, 1))
    assert numbers(topic, sent(4, 1).behind(START.server)) == [5]


def test_images_are_not_remembered() -> None:
    """Clients are never given them, and they are large."""
    topic = live("list:5")

    topic.hear(sent(1, 1, extra={"images": ["large"]}))

    recent = topic.recent(START)
    assert recent is not None
    assert [each.message.extra for each in recent] == [None]
