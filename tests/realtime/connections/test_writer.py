"""The writer: frames in order, one write at a time, at most a window unanswered."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from realtime.connections.writer import Writer
from realtime.hub.mailbox import Mailbox
from realtime.messages.message import Message
from realtime.messages.topics import Topic
from realtime.protocol import Denied, Pong

LIST = Topic("list:1")
WINDOW = 1_000


class Client:
    """The server's side of the writes: accepts text until it is told to wait or to raise."""

    def __init__(self, window: int = WINDOW) -> None:
        self.frames: list[dict[str, Any]] = []
        self.told: list[Message] = []
        self.failed: list[BaseException] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.error: Exception | None = None
        self.mailbox = Mailbox(10_000)
        self.writer = Writer(self.mailbox, self.write, self.told.extend, self.failed.append, window)

    async def write(self, text: str) -> None:
        await self.reads.wait()
        if self.error is not None:
            raise self.error
        self.frames.append(json.loads(text))

    def tell(self, *pks: str) -> None:
        for pk in pks:
            self.mailbox.put(Message(LIST, {"a.b": {pk: "updated"}}))
        self.writer.flush()

    @property
    def types(self) -> list[str]:
        return [frame["type"] for frame in self.frames]

    @property
    def pks(self) -> list[str]:
        changed = [frame for frame in self.frames if frame["type"] == "changed"]
        return [pk for each in changed for pk in each["topics"][LIST]["changes"]["a.b"]["updated"]]

    def answer(self) -> None:
        """Answer every ping received so far."""
        for frame in self.frames:
            if frame["type"] == "ping":
                self.writer.ponged(frame["seq"])

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)


async def test_waiting_messages_are_written_at_once() -> None:
    """Without a task, if the server accepts them."""
    client = Client()
    before = asyncio.all_tasks()

    client.tell("1")

    assert client.pks == ["1"]
    assert asyncio.all_tasks() == before


async def test_frames_go_before_messages_and_in_their_order() -> None:
    """A client receives `subscribed` before messages of the topic."""
    client = Client()
    client.reads.clear()
    sending = [asyncio.create_task(client.writer.send(Denied({str(n): ""}))) for n in range(3)]
    await client.settle()
    client.tell("1")
    client.reads.set()

    await asyncio.wait_for(asyncio.gather(*sending), 30)
    await client.settle()

    assert client.types == ["denied", "denied", "denied", "changed"]
    assert [list(frame["topics"]) for frame in client.frames[:3]] == [["0"], ["1"], ["2"]]


async def test_while_one_write_waits_messages_merge() -> None:
    """A slow client receives the same rows in fewer frames."""
    client = Client()
    client.reads.clear()
    client.tell("1")
    for pk in ("2", "3", "2"):
        client.tell(pk)

    client.reads.set()
    await client.settle()

    assert client.types == ["changed", "changed"]
    assert client.pks == ["1", "2", "3"]


async def test_no_more_is_sent_than_a_window_without_an_answer() -> None:
    """Also to a server that accepts everything: the data in its memory is bounded."""
    client = Client()
    for number in range(1_000):
        client.tell(f"{number:04}")

    longest = max(len(json.dumps(frame)) for frame in client.frames)
    assert client.writer.is_shut
    assert client.writer.sent <= WINDOW + 2 * longest
    assert len(client.pks) < 100

    while client.writer.is_shut or len(client.mailbox):
        client.answer()

    assert sorted(set(client.pks)) == [f"{number:04}" for number in range(1_000)]


async def test_a_client_that_answers_is_never_held_back() -> None:
    """Pings are sent after each half window, before the window is full."""
    client = Client()

    for number in range(1_000):
        client.tell(str(number))
        client.answer()
        assert not client.writer.is_shut

    assert len(client.pks) == 1_000


@pytest.mark.parametrize("seq", [0, -1, 7, 10**30])
async def test_an_answer_to_an_unknown_ping_opens_nothing(seq: int) -> None:
    """Nor does a second answer to the same ping."""
    client = Client()
    while not client.writer.is_shut:
        client.tell("1")
    answered = client.writer.ponged(1)
    while not client.writer.is_shut:
        client.tell("1")

    assert answered
    assert not client.writer.ponged(1)
    assert not client.writer.ponged(seq if seq != 7 else 700)
    assert client.writer.is_shut


async def test_frames_pass_a_window_that_is_shut() -> None:
    """A ping must, or the window would never open; so do answers to the client's requests."""
    client = Client()
    while not client.writer.is_shut:
        client.tell("1")
    client.tell("held back")

    await client.writer.send(Pong())

    assert client.types[-1] == "pong"
    assert "held back" not in client.pks


async def test_tasks_that_wait_to_send_are_released_at_the_end() -> None:
    """And no frame is written after it."""
    client = Client()
    client.reads.clear()
    sending = [asyncio.create_task(client.writer.send(Pong())) for _ in range(3)]
    await client.settle()

    await asyncio.wait_for(client.writer.close(), 30)

    await asyncio.wait_for(asyncio.gather(*sending), 30)
    await client.writer.send(Pong())
    client.tell("1")
    assert client.frames == []
    assert not client.failed


@pytest.mark.parametrize("waits", [False, True])
async def test_an_error_of_a_write_ends_it(waits: bool) -> None:
    """Messages taken from the mailbox are lost, so the client has to reconnect."""
    client = Client()
    client.error = OSError("gone")
    if waits:
        client.reads.clear()
    client.tell("1")
    client.reads.set()
    await client.settle()

    assert [type(error) for error in client.failed] == [OSError]
    client.error = None
    client.tell("2")
    assert client.frames == []


async def test_a_sender_that_is_cancelled_leaves_its_frame() -> None:
    """Later frames are sent all the same."""
    client = Client()
    client.reads.clear()
    sending = [asyncio.create_task(client.writer.send(Denied({str(n): ""}))) for n in range(3)]
    await client.settle()
    sending[1].cancel()
    await client.settle()

    client.reads.set()
    await asyncio.wait_for(asyncio.gather(sending[0], sending[2]), 30)

    assert [list(frame["topics"]) for frame in client.frames] == [["0"], ["1"], ["2"]]
