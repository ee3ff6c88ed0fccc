"""The queue in memory: in order, bounded, and losing no message that exists only there."""

from __future__ import annotations

import pytest

from realtime.backends.outbox.queue import Item, Place, Queue, Stored, Unstored
from realtime.messages.message import Message
from realtime.messages.topics import Topic

HERE: Place = ("default", "db")
THERE: Place = ("other", "db")


class FakeBackend:
    """A backend that is only compared by identity."""

    def send(self, messages: object) -> None:
        raise AssertionError

    def ended(self) -> None:
        raise AssertionError


PUBSUB = FakeBackend()


def stored(row: int, place: Place = HERE) -> Stored:
    return Stored(PUBSUB, place, row)


def unstored(topic: str) -> Unstored:
    return Unstored(PUBSUB, (Message(Topic(topic), {"a.b": {"1": "left"}}),))


def all_of(queue: Queue) -> list[Item]:
    found = []
    while batch := queue.head(100):
        found += batch
        queue.done(len(batch))
    return found


def test_items_stay_until_they_are_done() -> None:
    """A failed item is retried before later ones."""
    queue = Queue(10)
    first, second = stored(1), stored(2)
    queue.put(first)
    assert queue.head(5) == [first]

    queue.put(second)
    assert queue.head(1) == [first]
    queue.done(1)

    assert queue.head(5) == [second]


def test_a_batch_goes_one_way() -> None:
    """To one backend, from one database, and all with a row or all without."""
    queue = Queue(10)
    items = [stored(1), stored(2), stored(3, THERE), unstored("list:1"), stored(4)]
    foreign = Stored(FakeBackend(), HERE, 5)
    for item in (*items, foreign):
        queue.put(item)

    batches = []
    while batch := queue.head(100):
        batches.append(batch)
        queue.done(len(batch))

    assert batches == [items[:2], [items[2]], [items[3]], [items[4]], [foreign]]


def test_a_full_queue_leaves_rows_to_the_table() -> None:
    """Also rows that would fit, until the table is read: none overtakes another."""
    queue = Queue(2)
    for row in range(4):
        queue.put(stored(row))
    kept = [item.row for item in all_of(queue) if isinstance(item, Stored)]
    queue.put(stored(4))

    assert kept == [0, 1]
    assert not queue.head(1)
    assert queue.take_spill()

    queue.put(stored(5))
    assert len(queue.head(1)) == 1
    assert not queue.take_spill()


def test_a_table_that_could_not_be_read_is_read_again() -> None:
    """Until then rows are rejected."""
    queue = Queue(2)
    queue.spill()
    queue.put(stored(1))

    assert not queue.head(1)
    assert queue.take_spill()


def test_a_full_queue_resets_families_of_what_has_no_row() -> None:
    """Once each, and behind earlier items."""
    queue = Queue(1)
    for topic in ("list:1", "list:2", "user:3", "list:4"):
        queue.put(unstored(topic))

    told = [message for item in all_of(queue) for message in item.messages]  # type: ignore[union-attr]

    assert told[0].topic == "list:1"
    assert [(each.topic, each.reset) for each in told[1:]] == [
        ("list:", "overflow"),
        ("user:", "overflow"),
    ]


@pytest.mark.parametrize("act", ["put", "spill", "close"])
def test_waiting_threads_are_woken(act: str) -> None:
    """By an item, by rejected rows, and by the end."""
    queue = Queue(10)
    assert not queue.wait_for_items(0)

    {"put": lambda: queue.put(stored(1)), "spill": queue.spill, "close": queue.close}[act]()

    assert queue.wait_for_items(10)
