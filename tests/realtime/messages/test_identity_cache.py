"""Pure functions called by many callers at the same moment."""

from __future__ import annotations

from realtime.connections.encode import encode_text, text_of
from realtime.messages.identity_cache import IdentityCache
from realtime.messages.message import Message
from realtime.protocol import changed


def test_the_same_objects_are_worked_on_once() -> None:
    """Equal objects that are not the same are worked on again: comparing would cost as much."""
    calls: list[list[int]] = []

    def total(numbers: list[int]) -> int:
        calls.append(numbers)
        return sum(numbers)

    once, one, equal = IdentityCache(total), [1, 2], [1, 2]

    assert [once(one), once(one), once(equal)] == [3, 3, 3]
    assert calls == [[1, 2], [1, 2]]


def test_an_object_cannot_be_taken_for_one_that_is_gone() -> None:
    """Python gives the address of a deleted object to a new one."""
    once = IdentityCache(lambda numbers: sum(numbers))

    assert [once([number]) for number in range(1_000)] == list(range(1_000))


def test_no_more_is_kept_than_the_bound() -> None:
    """The oldest goes first."""
    calls = []
    once = IdentityCache(calls.append, most=2)
    one, two, three = object(), object(), object()

    for each in (one, two, three, two, three, one):
        once(each)

    assert calls == [one, two, three, one]


def test_a_message_for_many_is_encoded_once() -> None:
    """All clients receive the very same text."""
    message = Message("list:5", {"a.b": {"1": "left"}})

    assert text_of([message]) is text_of([message])


def test_a_frame_made_of_parts_is_as_if_made_whole() -> None:
    """Whether its parts were encoded before or not."""
    messages = [
        Message("list:5", {"a.b": {"1": "left", 'ü"\\': "updated"}}),
        Message("list:6", reset="bulk"),
        Message("list:7"),
    ]

    for told in (messages, messages[:1], messages[1:], []):
        assert text_of(told) == encode_text(changed(told))
