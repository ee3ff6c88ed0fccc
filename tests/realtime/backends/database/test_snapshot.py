"""Snapshots as positions: what they see, what follows, and their text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.backends.database.snapshot import LONGEST_OFFSET, Snapshot
from realtime.messages.cursors import Cursor

LARGEST = 40


@st.composite
def snapshots(draw: st.DrawFn, largest: int = LARGEST) -> Snapshot:
    xmax = draw(st.integers(3, largest))
    return Snapshot(xmax, tuple(sorted(draw(st.sets(st.integers(1, xmax - 1), max_size=200)))))


def seen(snapshot: Snapshot) -> set[int]:
    return set(range(snapshot.xmax)) - set(snapshot.running)


@given(snapshots(10**15))
def test_a_snapshot_is_read_as_it_was_written(snapshot: Snapshot) -> None:
    """A cursor holds only its text."""
    assert Snapshot.parse(snapshot.offset) == snapshot


@given(snapshots(10**15))
def test_a_short_one_fits_a_cursor(snapshot: Snapshot) -> None:
    """However many transactions ran."""
    text = str(Cursor("epoch", snapshot.short().offset))

    assert len(snapshot.short().offset) <= LONGEST_OFFSET
    assert Cursor.parse(text).offset == snapshot.short().offset


@given(snapshots(), st.integers(1, 30))
def test_a_short_one_sees_nothing_more(snapshot: Snapshot, longest: int) -> None:
    """Messages that it leaves out are sent again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("realtime.backends.database.snapshot.LONGEST_OFFSET", longest + 1)
        short = snapshot.short()

    assert seen(short) <= seen(snapshot)
    assert short.xmin == snapshot.xmin


@pytest.mark.parametrize(
    "offset",
    ["", "~", "x", "-1", "0", "05", "7~", "7~0", "7~1~2", "7~2~2", "7~8", "7~02", "9" * 19, "7~x"],
)
def test_other_text_than_a_snapshots_is_none(offset: str) -> None:
    """Cursors come from clients."""
    assert Snapshot.parse(offset) is None


@given(snapshots(), st.data())
def test_a_snapshot_grows_by_the_delivered_transactions(
    last: Snapshot, data: st.DataObject
) -> None:
    """All that both see; of new transactions only those up to the one delivered."""
    ended = data.draw(st.sets(st.sampled_from([*last.running, 0])))
    xmax = data.draw(st.integers(last.xmax, LARGEST + 10))
    begun = data.draw(st.sets(st.integers(last.xmax, max(last.xmax, xmax - 1))))
    running = (set(last.running) - ended) | {xid for xid in begun if xid < xmax}
    now = Snapshot(xmax, tuple(sorted(running)))
    xid = data.draw(st.integers(1, xmax - 1))

    behind = last.up_to(xid, now)

    new = seen(now) - seen(last)
    assert seen(behind) == seen(last) | {each for each in new if each <= xid} | (
        set() if xid < last.xmax else {each for each in seen(now) if each <= xid}
    )


def test_the_callers_own_transaction_is_not_seen() -> None:
    """PostgreSQL does not list it as running, but its later writes are new."""
    assert Snapshot.of("10:14:10,12", 11) == Snapshot(14, (10, 11, 12))
    assert Snapshot.of("10:14:10,12", 14) == Snapshot(14, (10, 12))
    assert Snapshot.of("14:14:", None) == Snapshot(14)
