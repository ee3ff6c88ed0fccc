"""Hypothesis strategies for the values of `realtime`."""

from __future__ import annotations

from hypothesis import strategies as st

from realtime.messages.cursors import Cursor
from realtime.messages.message import Message, Reset
from realtime.messages.topics import Topic

families = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,8}", fullmatch=True)
# Text without UTF-8 has no spelling.
parts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
verbs = st.sampled_from(["entered", "updated", "left"])
changes = st.dictionaries(
    st.sampled_from(["a.b", "a.c"]),
    st.dictionaries(st.sampled_from("123"), verbs, max_size=3),
    max_size=2,
)
cursors = st.builds(Cursor, st.just("e"), st.integers(0, 99).map(str))


def messages(topic: str = "list:5") -> st.SearchStrategy[Message]:
    """Messages of one topic, some of them resets."""
    return st.one_of(
        st.builds(Message, st.just(Topic(topic)), changes, cursor=st.none() | cursors),
        st.builds(
            Message, st.just(Topic(topic)), reset=st.sampled_from(Reset), cursor=st.none() | cursors
        ),
    )
