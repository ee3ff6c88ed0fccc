"""The algebra of messages, which lets queues be bounded and delivery be at least once."""

from __future__ import annotations

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from realtime.messages.cursors import Cursor
from realtime.messages.merge import bound, merge
from realtime.messages.message import Message, Reset
from tests.realtime.strategies import messages


def rows_of(message: Message) -> dict[tuple[str, str], str]:
    return {
        (label, pk): verb for label, rows in message.changes.items() for pk, verb in rows.items()
    }


def what(message: Message) -> object:
    """What a message says, apart from its position."""
    return (message.reset, rows_of(message))


@given(messages(), messages(), messages())
def test_merging_is_associative(a: Message, b: Message, c: Message) -> None:
    """A queue may merge any neighbours."""
    left, right = merge(merge(a, b), c), merge(a, merge(b, c))

    assert what(left) == what(right)
    assert left.cursor == right.cursor


@given(messages(), messages())
def test_merging_is_commutative_but_for_the_cursor(a: Message, b: Message) -> None:
    """Messages of different topics and overlapping transactions arrive in any order."""
    assert what(merge(a, b)) == what(merge(b, a))


@given(messages())
def test_merging_is_idempotent(a: Message) -> None:
    """A message that arrives twice says no more."""
    assert what(merge(a, a)) == what(a)


@given(messages(), messages())
def test_a_repeat_adds_nothing(a: Message, b: Message) -> None:
    """However late it arrives."""
    assert what(merge(merge(a, b), a)) == what(merge(a, b))


@given(messages(), messages())
def test_nothing_is_lost_in_merging(a: Message, b: Message) -> None:
    """Every row is named, or all are reset; the cursor is the later one's."""
    both = merge(a, b)

    if a.reset is not None or b.reset is not None:
        assert both.reset in {a.reset, b.reset}
        assert not both.changes
    else:
        one, other = rows_of(a), rows_of(b)
        assert rows_of(both) == {
            key: one.get(key, other.get(key))
            if one.get(key, other.get(key)) == other.get(key, one.get(key))
            else "updated"
            for key in one | other
        }
    assert both.cursor == (b.cursor or a.cursor)


@given(st.lists(messages(), min_size=1), st.integers(0, 4))
def test_bounded_merging_is_a_reset_or_the_whole(sent: list[Message], most: int) -> None:
    """Bounding at every step loses no more than bounding at the end."""
    step_by_step = reduce(lambda a, b: bound(merge(a, b), most), sent, sent[0])
    whole = reduce(merge, sent)

    assert len(rows_of(step_by_step)) <= most or len(sent) == 0
    assert step_by_step.cursor == whole.cursor
    if step_by_step.reset is None:
        assert what(step_by_step) == what(whole)


def test_a_bound_is_kept_exactly() -> None:
    """As many rows as allowed are named; one more is a reset, at the same position."""
    cursor = Cursor("e", "1")
    three = Message(
        "list:5", {"a.b": {"1": "left", "2": "left"}, "a.c": {"1": "left"}}, None, cursor
    )

    assert bound(three, 3) is three
    assert bound(three, 2) == Message("list:5", reset=Reset.OVERFLOW, cursor=cursor)


def test_a_reset_is_bounded_too() -> None:
    """It may have come with rows, which are of no use behind the reset."""
    message = Message("list:5", {"a.b": {"1": "left", "2": "left"}}, reset="bulk")

    assert bound(message, 1) == Message("list:5", reset="bulk")
