"""The hub's map from topics to subscribers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from realtime.hub.mailbox import Mailbox
from realtime.hub.subscribers import Subscribers
from realtime.messages.topics import Topic

TOPICS = [Topic(text) for text in ("list:1", "list:2", "user:1", "object:a.b/1", "object:a.c/1")]
BOXES = [Mailbox(1) for _ in range(3)]

steps = st.lists(st.tuples(st.booleans(), st.sampled_from(TOPICS), st.sampled_from(BOXES)))


@given(steps)
def test_the_map_agrees_with_a_set_of_pairs(steps: list[tuple[bool, Topic, Mailbox]]) -> None:
    """After any additions and removals, in any order, repeated or missing."""
    subscribers, pairs = Subscribers(), set[tuple[Topic, Mailbox]]()
    for adds, topic, box in steps:
        if adds:
            subscribers.add(topic, box)
            pairs.add((topic, box))
        else:
            had = (topic, box) in pairs
            pairs.discard((topic, box))
            last = had and not any(topic == other for other, _ in pairs)
            assert subscribers.remove(topic, box) == last

    topics = {topic for topic, _ in pairs}
    families = {topic.family for topic in topics}
    assert set(subscribers.topics()) == topics
    assert set(subscribers.wanted()) == topics | families
    for topic in TOPICS:
        assert set(subscribers.of(topic)) == {box for other, box in pairs if other == topic}
        assert set(subscribers.reached_by(topic)) == topics & {topic}
        assert set(subscribers.reached_by(topic.family)) == {
            other for other in topics if other.family == topic.family
        }
        assert set(subscribers.unwanted(topic)) == {topic, topic.family} - topics - families
