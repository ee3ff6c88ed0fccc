"""Topics have one spelling each."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.exceptions import InvalidTopic, RealtimeError
from realtime.messages.topics import Topic, encode_part
from tests.realtime.strategies import families, parts


@given(families, st.lists(parts, max_size=4))
def test_parts_come_back_as_they_were(family: str, given_parts: list[str]) -> None:
    """For any key, spelling it and reading it are inverse."""
    topic = Topic.of(family, *given_parts)

    assert Topic(str(topic)) == topic
    assert topic.parts == tuple(given_parts)
    assert topic.name == family


@given(families, st.lists(parts | st.integers(), min_size=1, max_size=3))
def test_family_completes_its_topics(family: str, given_parts: list[str | int]) -> None:
    """A bare family with the remaining parts makes the same topic as all parts."""
    topic = Topic.of(family, *given_parts)

    assert topic.family.with_parts(*topic.parts[len(topic.family.parts) :]) == topic
    assert Topic(str(topic)) == topic


@given(families, st.lists(parts, min_size=1, max_size=3), st.lists(parts, min_size=1, max_size=3))
def test_different_parts_are_different_topics(
    family: str, one: list[str], other: list[str]
) -> None:
    """A part that holds a separator is not two parts."""
    assert (Topic.of(family, *one) == Topic.of(family, *other)) == (one == other)


@given(st.text(max_size=12))
def test_text_is_a_topic_in_its_one_spelling_or_none(text: str) -> None:
    """Text that can be read equals the text that would be written."""
    try:
        topic = Topic(text)
    except InvalidTopic:
        return

    assert str(topic) == text
    if topic.parts and not topic.is_family:
        assert Topic.of(topic.name, *topic.parts) == text


@pytest.mark.parametrize(
    ("text", "family", "is_family", "key", "parts"),
    [
        ("list:5", "list:", False, "5", ("5",)),
        ("seat:12/b%2F4", "seat:", False, "12/b%2F4", ("12", "b/4")),
        ("object:shop.order/7", "object:shop.order/", False, "shop.order/7", ("shop.order", "7")),
        ("object:shop.order/", "object:shop.order/", True, "shop.order/", ("shop.order",)),
        ("model:shop.order", "model:", False, "shop.order", ("shop.order",)),
        ("list:", "list:", True, "", ()),
        ("object:", "object:", True, "", ()),
    ],
)
def test_a_topic_knows_its_parts(
    text: str, family: str, is_family: bool, key: str, parts: tuple[str, ...]
) -> None:
    """In all documented forms."""
    topic = Topic(text)

    assert (topic.family, topic.is_family, topic.key, topic.parts) == (
        family,
        is_family,
        key,
        parts,
    )
    assert type(topic.family) is Topic
    assert topic.family.family == topic.family


@pytest.mark.parametrize(
    "text",
    [
        "",
        "list",
        ":5",
        "5:list",
        "list:5/",
        "list:/5",
        "list:5//6",
        "list:a b",
        "list:ü",
        "list:%fc",
        "list:%FC",
        "list:%41",
        "list:%",
        "list:5\n",
        "list :5",
        "list:a:b",
        "object:a/b/",
        "object://",
        None,
        5,
        b"list:5",
    ],
)
def test_other_spellings_are_refused(text: object) -> None:
    """The error says what a topic looks like."""
    with pytest.raises(InvalidTopic, match="expected") as caught:
        Topic(text)  # type: ignore[arg-type]

    assert isinstance(caught.value, ValueError | RealtimeError)


@pytest.mark.parametrize("part", ["", None])
def test_an_empty_part_has_no_spelling(part: object) -> None:
    """A topic of a missing key would be shared by all users."""
    with pytest.raises(InvalidTopic, match="not empty"):
        encode_part(part)


@pytest.mark.parametrize("family", ["", "5", "a b", "a:b", "a/b", None, 5])
def test_a_family_is_a_name(family: object) -> None:
    """Otherwise its topics could not be read back."""
    with pytest.raises(InvalidTopic, match="expected a family"):
        Topic.of(family, 5)  # type: ignore[arg-type]


def test_a_part_that_has_no_utf8_is_refused() -> None:
    """Like every other part that has no spelling."""
    with pytest.raises(InvalidTopic):
        Topic.of("list", "\ud800")


def test_a_topic_is_its_text() -> None:
    """It compares, hashes, copies and pickles like its text."""
    topic = Topic.of("list", 5)

    assert topic == "list:5"
    assert {topic} == {"list:5"}
    assert Topic(topic) is topic
    for same in (copy.deepcopy(topic), pickle.loads(pickle.dumps(topic))):
        assert (type(same), same) == (Topic, topic)
