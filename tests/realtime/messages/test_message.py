"""Messages say which rows changed; invalid ones cannot be made."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from realtime.exceptions import InvalidMessage, InvalidTopic
from realtime.messages.message import Message, Reset
from realtime.messages.topics import Topic


def test_a_topic_may_be_written_as_text() -> None:
    """All later code gets a Topic."""
    assert type(Message("list:5").topic) is Topic


def test_a_message_without_more_names_nothing() -> None:
    """The defaults are empty."""
    message = Message("list:5")

    assert (message.changes, message.reset, message.cursor, message.extra) == ({}, None, None, None)


def test_a_message_is_frozen() -> None:
    """Many parts of the code share one message."""
    with pytest.raises(FrozenInstanceError):
        Message("list:5").reset = "bulk"  # type: ignore[misc]


@pytest.mark.parametrize(
    "changes",
    [
        {"a.b": {"1": "deleted"}},
        {"a.b": {1: "updated"}},
        {"a.b": {"1": None}},
        {"a.b": ["1"]},
        {"a.b": "1"},
        {5: {"1": "updated"}},
    ],
)
def test_rows_are_text_with_one_of_three_verbs(changes: object) -> None:
    """The error quotes the given value."""
    with pytest.raises(InvalidMessage, match="expected .* got"):
        Message("list:5", changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("reset", ["", True, 5, b"bulk"])
def test_a_reset_gives_a_reason(reset: object) -> None:
    """As text that is not empty."""
    with pytest.raises(InvalidMessage, match="reason"):
        Message("list:5", reset=reset)  # type: ignore[arg-type]


def test_a_reset_may_have_a_new_reason() -> None:
    """A client reloads for any reason."""
    assert Message("list:5", reset="something new").reset == "something new"


def test_the_known_reasons_are_those_of_the_protocol() -> None:
    """In the spelling of docs and clients."""
    assert {str(reason) for reason in Reset} == {
        "history-expired",
        "backend-restart",
        "overflow",
        "bulk",
        "raw-sql",
        "no-replay",
        "unknown-cursor",
        "access",
        "server",
    }


def test_a_message_needs_a_topic() -> None:
    """In its canonical spelling."""
    with pytest.raises(InvalidTopic):
        Message("list")
