"""Joined cursors: positions in several histories."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.backends.database.joint_cursor import join, split
from realtime.messages.cursors import Cursor

# In the form of the databases' histories.
epochs = st.from_regex(r"[A-Za-z0-9_-]{1,16}", fullmatch=True)
offsets = st.from_regex(r"[0-9]{1,18}(~[0-9]{1,5}){0,3}", fullmatch=True)
cursors = st.builds(Cursor, epochs, offsets)


@given(st.lists(cursors, min_size=1, max_size=4))
def test_splitting_is_the_inverse_of_joining(parts: list[Cursor]) -> None:
    """Also after it was a client's text."""
    joined = Cursor.parse(str(join(parts)))

    assert split(joined, len(parts)) == parts


def test_the_longest_cursors_fit() -> None:
    """A client can send back any cursor that it received."""
    longest = Cursor("e" * 16, "1" * 400)

    assert Cursor.parse(str(join([longest] * 4)))


@pytest.mark.parametrize("text", ["a.1", "a~b.1", "a.1_2", "a~b~c.1_2_3", "a~.1_2", "a~b._2"])
def test_a_cursor_of_another_number_of_histories_is_none(text: str) -> None:
    """As after a change of the settings: such a cursor proves nothing."""
    assert split(Cursor.parse(text), 2) is None
