"""A stream may be cut at any moment, and lose data under way: no change is missed."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any
from unittest import mock

from django.test import override_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.backends.memory import MemoryPubSub
from realtime.messages.topics import Topic
from realtime.server import close_server
from tests.realtime.http.requests import Request, asking, query
from tests.realtime.hub.listening import row, send, until, within

TOPICS = (Topic("sentinel:1"), Topic("sentinel:2"))

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.sampled_from(TOPICS)),
        st.tuples(st.just("pause"), st.integers(1, 30)),
        st.tuples(st.just("cut"), st.integers(0, 4)),
    ),
    max_size=25,
)


class Browser:
    """Keeps the last id, as an EventSource does, and the page's state from the events."""

    def __init__(self) -> None:
        self.last: str | None = None
        self.sent: set[str] = set()
        self.known: set[str] = set()
        self._stack = AsyncExitStack()
        self._stream: Request

    async def open(self) -> None:
        headers = {} if self.last is None else {"last-event-id": self.last}
        stream = asking(None, query("sse", *TOPICS), headers)
        self._stream = await self._stack.enter_async_context(stream)
        assert (await self._stream.answered()).status == 200
        await until(lambda: not self._stream.communicator.output_queue.empty())

    async def cut(self, events: int) -> None:
        """Lose the stream after so many of the events under way have arrived."""
        waiting = self._stream.communicator.output_queue
        text = ""
        while not waiting.empty():
            text += waiting.get_nowait().get("body", b"").decode()
        self._take(text, events)
        await self._stack.aclose()

    async def read(self) -> None:
        self._take(await self._stream.chunk())

    def _take(self, text: str, most: int = 1_000) -> None:
        for block in text.split("\n\n")[:-1][:most]:
            fields = dict(line.split(": ", 1) for line in block.split("\n"))
            self.last = fields.get("id", self.last)
            if fields["event"] == "changed":
                for entry in json.loads(fields["data"]).values():
                    self._apply(entry)

    def _apply(self, entry: dict[str, Any]) -> None:
        if "reset" in entry:
            self.known |= self.sent  # it reloads
        for verbs in entry.get("changes", {}).values():
            self.known.update(*verbs.values())


# Each example is a number of requests.
@settings(max_examples=settings.default.max_examples // 3)
@given(steps=STEPS)
async def test_a_browser_whose_streams_are_cut_misses_nothing(
    steps: list[tuple[str, Any]],
) -> None:
    """It has the last id that arrived, whatever was sent behind it."""
    pubsub, browser = MemoryPubSub(), Browser()
    with (
        override_settings(REALTIME={"ALLOW_ANONYMOUS": True}),
        mock.patch("realtime.server.get_pubsub", return_value=pubsub),
    ):
        await browser.open()
        await browser.read()  # the page is made, or reloaded, from here on
        for step, what in steps:
            if step == "send":
                browser.sent.add(str(len(browser.sent)))
                send(pubsub, row(what, len(browser.sent) - 1))
            elif step == "cut":
                await browser.cut(what)
                await browser.open()
            else:
                for _ in range(what):
                    await asyncio.sleep(0)

        while browser.known != browser.sent:
            await browser.read()
        await browser.cut(0)
        await within(close_server())
