"""Warnings of very wide fan-outs and publishes."""

from __future__ import annotations

import pytest
from django.test import override_settings

from realtime import telemetry
from realtime.backends.memory import MemoryPubSub
from realtime.hub.hub import Hub
from realtime.messages.message import Message, Reset
from realtime.publish import prepare
from tests.realtime.hub.listening import FAMILY, LIST, OTHER, mailbox, row, send, taken, within

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def never_warned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "_next", {})


def warnings(caplog: pytest.LogCaptureFixture, logger: str) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.name == logger]


@override_settings(REALTIME={"WARN_FAN_OUT": 2})
async def test_a_very_wide_fan_out_is_warned_of_once(
    hub: Hub, pubsub: MemoryPubSub, caplog: pytest.LogCaptureFixture
) -> None:
    """A family's reset counts all of its topics together; exactly the limit is no warning."""
    boxes = [mailbox() for _ in range(3)]
    for box, topic in zip(boxes, (LIST, LIST, OTHER), strict=True):
        await within(hub.subscribe(box, topic))

    for message in (row(LIST, 1), *([Message(FAMILY, reset=Reset.BULK)] * 3)):
        send(pubsub, message)
        await taken(boxes[0])

    what = "a message to list: goes to 3 mailboxes here, more than WARN_FAN_OUT = 2"
    assert warnings(caplog, "realtime.hub") == [what]


@override_settings(REALTIME={"WARN_PUBLISH": 2})
def test_a_very_large_publish_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """Exactly the limit is no warning."""
    for count in (2, 3, 4):
        prepare([row(LIST, pk) for pk in range(count)], "default")

    what = "3 messages are published together, more than WARN_PUBLISH = 2; the first to list:5"
    assert warnings(caplog, "realtime.outbox") == [what]


@override_settings(REALTIME={"WARN_PUBLISH": 2})
def test_a_minute_later_it_is_warned_of_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as it lasts."""
    now = 5.0
    monkeypatch.setattr(telemetry, "monotonic", lambda: now)
    for _ in range(4):
        prepare([row(LIST, pk) for pk in range(3)], "default")
        now += 31

    assert len(warnings(caplog, "realtime.outbox")) == 2


@override_settings(REALTIME={"WARN_PUBLISH": 0, "WARN_FAN_OUT": 0})
def test_0_is_off(caplog: pytest.LogCaptureFixture) -> None:
    """No number is too many then."""
    prepare([row(LIST, pk) for pk in range(5_000)], "default")
    telemetry.note_fan_out(LIST, 1_000_000)

    assert not caplog.records
