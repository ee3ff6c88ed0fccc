"""A backend of several servers, some of which are away: what they have is not sent again."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from realtime.backends.outbox import process, relay, rows
from realtime.backends.outbox.queue import Stored, Unstored
from realtime.backends.outbox.send import MOST, send_all
from realtime.backends.outbox.sweep import Sweep
from realtime.exceptions import NotSent, PartlySent
from realtime.messages.codec import messages_of
from realtime.messages.message import Message
from realtime.models import OutboxRecord
from tests.realtime.backends.outbox.conftest import PATIENCE, until

pytestmark = pytest.mark.django_db(transaction=True)


class Halves:
    """Takes what is for a list, and what is for a seat as long as that part is there."""

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


def test_of_a_row_stays_what_was_not_sent() -> None:
    """So that whoever sweeps next sends that alone."""
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
    """And says in the end that something was not."""
    halves = Halves()
    for number in range(150):
        rows.write([message(f"{'list' if number % 2 else 'seat'}:{number}")], "default")
    sweep = Sweep(lambda messages: send_all(halves, messages))

    with pytest.raises(PartlySent):
        list(sweep.steps(everything=True))

    assert len(halves.taken) == 75
    assert len(waiting()) == 75


def test_every_piece_is_handed_over_before_it_is_said() -> None:
    """A part that is away holds up nothing behind it."""
    halves = Halves()
    messages = [message("seat:0"), *(message(f"list:{number}") for number in range(2 * MOST))]

    with pytest.raises(PartlySent) as caught:
        send_all(halves, messages)

    assert len(halves.taken) == 2 * MOST
    assert caught.value.unsent == [messages[0]]


def test_what_is_partly_sent_is_not_sent() -> None:
    """For those who know of no parts."""
    assert issubclass(PartlySent, NotSent)


def test_the_relay_goes_on_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is for a part that is there is sent at once; the rest once its part is back."""
    halves = Halves()
    for topic in ("seat:1", "list:1"):
        row = rows.write([message(topic)], "default")
        process.hand_over(Stored(halves, rows.place("default"), row), halves)

    until(lambda: halves.taken == ["list:1"])
    halves.away = False
    until(lambda: halves.taken == ["list:1", "seat:1"])

    # A row goes when what it holds was taken, not before.
    until(lambda: waiting() == [])
    process.stop_relay()


def test_what_has_no_row_is_kept_for_its_part() -> None:
    """In memory, where nothing else has it."""
    halves = Halves()
    process.hand_over(Unstored(halves, (message("seat:1"), message("list:1"))), halves)
    process.hand_over(Unstored(halves, (message("list:2"),)), halves)

    until(lambda: halves.taken == ["list:1", "list:2"])
    halves.away = False
    until(lambda: halves.taken[2:] == ["seat:1"])
    process.stop_relay()


def test_what_is_worth_nothing_later_is_dropped() -> None:
    """What is behind it is sent."""
    halves = Halves()
    process.hand_over(
        Unstored(halves, (message("seat:1"), message("list:1")), passing=True), halves
    )
    process.hand_over(Unstored(halves, (message("list:2"),)), halves)

    assert process.flush_relay(PATIENCE)

    assert halves.taken == ["list:1", "list:2"]
    process.stop_relay()


def test_sweeps_do_not_wait_for_what_has_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long its part is away: what a crash has left is sent meanwhile."""
    halves = Halves()
    monkeypatch.setattr(relay.conf, "OUTBOX_SWEEP", 0.1)
    process.hand_over(Unstored(halves, (message("seat:1"),)), halves)
    rows.write([message("list:1")], "default")

    until(lambda: halves.taken == ["list:1"])
    until(lambda: waiting() == [])
    process.stop_relay()
