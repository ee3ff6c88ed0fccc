"""Cursors are text that clients send back, and may make up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.exceptions import InvalidCursor
from realtime.messages.cursors import Cursor

epochs = st.from_regex(r"[A-Za-z0-9_~-]{1,200}", fullmatch=True)
offsets = st.from_regex(r"[A-Za-z0-9_~-]{1,1700}", fullmatch=True)


@given(epochs, offsets)
def test_a_cursor_comes_back_as_it_was(epoch: str, offset: str) -> None:
    """Writing and reading are inverse."""
    cursor = Cursor(epoch, offset)

    assert Cursor.parse(str(cursor)) == cursor


@given(st.text(max_size=20))
def test_any_text_is_a_cursor_or_an_error(text: str) -> None:
    """A client's text raises no other error."""
    try:
        cursor = Cursor.parse(text)
    except InvalidCursor:
        return

    assert str(cursor) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a",
        "a.",
        ".1",
        "a.1.2",
        "a b.1",
        "a.1\n",
        "ü.1",
        "a" * 201 + ".1",
        "a." + "1" * 1701,
        None,
        5,
    ],
)
def test_other_text_than_a_cursors_is_refused(text: object) -> None:
    """The error says where cursors come from, and quotes no more than the beginning."""
    with pytest.raises(InvalidCursor, match="expected a cursor"):
        Cursor.parse(text)  # type: ignore[arg-type]


def test_an_error_is_short_whatever_came() -> None:
    """A client must not fill the log."""
    with pytest.raises(InvalidCursor) as caught:
        Cursor.parse("x" * 100_000)

    assert len(str(caught.value)) < 200
