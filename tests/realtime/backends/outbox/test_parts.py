"""A backend of several servers, some away: messages taken by the others are not sent again."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from realtime.backends.outbox import process, relay, rows
from realtime.backends.outbox.queue import Stored, Unstored
from realtime.backends.outbox.send import BATCH_SIZE, send_all
from realtime.backends.outbox.sweep import Sweep
from realtime.exceptions import NotSent, PartlySent
from realtime.messages.codec import messages_of
from realtime.messages.message import Message
from realtime.models import OutboxRecord
from tests.realtime.backends.outbox.conftest import PATIENCE, until

pytestmark = pytest.mark.django_db(transaction=True)


class Halves:
    """Takes messages for a list; those for a seat only while that part is available."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.away = True

    def send(self, messages: Sequence[Message]) -> None:
        here = [each for each in messages if each.topic.name == "list" or not self.away]
        self.taken += [str(message.topic) for message in here]
        if unsent := [each for each in messages if each not in here]:
            raise PartlySent("a part is away", unsent)

    def ended(self) -> None:
        """Keep nothing."""


def message(topic: str) -> Message:
    return Message(topic, {"a.b": {"1": "updated"}})  # type: ignore[arg-type]


def waiting() -> list[list[str]]:
    """Return the topics of each row that is left."""
    payloads = OutboxRecord.objects.order_by("id").values_list("payload", flat=True)
    return [[str(each.topic) for each in messages_of(payload, None)] for payload in payloads]


def test_unsent_messages_of_a_row_stay() -> None:
    """So the next sweep sends only those."""
    halves = Halves()
    chosen = [
        rows.write([message("list:1"), message("seat:1")], "default"),
        rows.write([message("list:2")], "default"),
        rows.write([message("seat:2")], "default"),
    ]

    with pytest.raises(PartlySent):
        rows.send(chosen, "default", lambda messages: send_all(halves, messages))

    assert halves.taken == ["list:1", "list:2"]
    assert waiting() == [["seat:1"], ["seat:2"]]

    halves.away = False
    assert rows.send(chosen, "default", lambda messages: send_all(halves, messages)) == 2
    assert halves.taken == ["list:1", "list:2", "seat:1", "seat:2"]
    assert waiting() == []


def test_a_sweep_goes_on_behind_what_was_not_sent() -> None:
    """It raises PartlySent at its end."""
    halves = Halves()
    for number in range(150):
        rows.write([message(f"{'list' if number % 2 else 'seat'}:{number}")], "default")
    sweep = Sweep(lambda messages: send_all(halves, messages))

    with pytest.raises(PartlySent):
        list(sweep.steps(everything=True))

    assert len(halves.taken) == 75
    assert len(waiting()) == 75


def test_every_batch_is_sent_before_partly_sent_is_raised() -> None:
    """A part that is away does not block later batches."""
    halves = Halves()
    messages = [
        message("seat:0"),
        *(message(f"list:{number}") for number in range(2 * BATCH_SIZE)),
    ]

    with pytest.raises(PartlySent) as caught:
        send_all(halves, messages)

    assert len(halves.taken) == 2 * BATCH_SIZE
    assert caught.value.unsent == [messages[0]]


def test_partly_sent_counts_as_not_sent() -> None:
    """For callers that do not know of parts."""
    assert issubclass(PartlySent, NotSent)


def test_the_relay_goes_on_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages for available parts are sent at once; the rest once their part is back."""
    halves = Halves()
    for topic in ("seat:1", "list:1"):
        row = rows.write([message(topic)], "default")
        process.hand_over(Stored(halves, rows.place("default"), row), halves)

    until(lambda: halves.taken == ["list:1"])
    halves.away = False
    until(lambda: halves.taken == ["list:1", "seat:1"])

    # A row is deleted when all its messages were taken, not before.
    until(lambda: waiting() == [])
    process.stop_relay()


def test_messages_without_a_row_are_kept_for_their_part() -> None:
    """In memory, since they exist nowhere else."""
    halves = Halves()
    process.hand_over(Unstored(halves, (message("seat:1"), message("list:1"))), halves)
    process.hand_over(Unstored(halves, (message("list:2"),)), halves)

    until(lambda: halves.taken == ["list:1", "list:2"])
    halves.away = False
    until(lambda: halves.taken[2:] == ["seat:1"])
    process.stop_relay()


def test_passing_messages_are_dropped() -> None:
    """Later messages are sent."""
    halves = Halves()
    process.hand_over(
        Unstored(halves, (message("seat:1"), message("list:1")), passing=True), halves
    )
    process.hand_over(Unstored(halves, (message("list:2"),)), halves)

    assert process.flush_relay(PATIENCE)

    assert halves.taken == ["list:1", "list:2"]
    process.stop_relay()


def test_sweeps_do_not_wait_for_messages_without_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long its part is away: rows left by a crash are sent meanwhile."""
    halves = Halves()
    monkeypatch.setattr(relay.conf, "OUTBOX_SWEEP", 0.1)
    process.hand_over(Unstored(halves, (message("seat:1"),)), halves)
    rows.write([message("list:1")], "default")

    until(lambda: halves.taken == ["list:1"])
    until(lambda: waiting() == [])
    process.stop_relay()
