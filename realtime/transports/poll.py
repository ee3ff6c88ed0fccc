"""Polling at `live/changes/`: the changes after a cursor, for clients that only send requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import msgspec
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from realtime.conf import conf
from realtime.connections.encode import topics_of
from realtime.messages.merge import bound, merge
from realtime.messages.message import Message
from realtime.messages.topics import Topic
from realtime.protocol import encode
from realtime.transports.errors import Refused, json_errors, refuse_foreign
from realtime.transports.http import HttpTransport, release_connections
from realtime.transports.request import Parameters, read

SETTLE_TIMEOUT = 5.0
"""Seconds for the backend, and for rules that are asked again, beyond those asked for."""


@json_errors
async def poll_changes(request: HttpRequest) -> HttpResponseBase:
    """PollResponse `GET live/changes/?topic=…&since=…&wait=20`."""
    refuse_foreign(request)
    poll = Poll(read(request))
    try:
        await poll.enter(request)
        await release_connections()
        answer = await poll.answer()
    finally:
        await poll.let_go()
    return HttpResponse(encode(answer), content_type="application/json")


class PollResponse(msgspec.Struct, frozen=True):
    """The changes, and the cursor for the next request."""

    cursor: str
    topics: msgspec.Raw


class Poll(HttpTransport):
    """One request that waits for changes. It ends before its first heartbeat would be due."""

    name = "poll"

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters)
        self._found: dict[Topic, Message] = {}

    async def answer(self) -> PollResponse:
        """Wait for changes and return them; raise Refused.

        The cursor is behind the returned changes, and not behind any other. A client without a
        cursor gets only the cursor: it reads all data after this response.
        """
        is_new = not self.parameters.cursors
        if not is_new:
            await self._until(self._has_news, self.parameters.wait)
        await self._until(self._is_settled, SETTLE_TIMEOUT)
        position, news = self.position(), [] if is_new else self._news()
        if position is None and not news:
            # An unknown position is not the same as "no changes".
            raise Refused(
                503, "backend-away", "this server is not connected to its backend now; retry"
            )
        return PollResponse(str(position or self.parameters.since), topics_of(news))

    async def _until(self, holds: Callable[[], bool], seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not holds():
                    self.news.clear()
                    await self.news.wait()

    def _has_news(self) -> bool:
        return self._is_settled() and bool(self._news())

    def _is_settled(self) -> bool:
        self._take()
        return self.position() is not None

    def _take(self) -> None:
        self.check()
        assert self._connection is not None
        for message in self._connection.mailbox.take_now():
            known = self._found.get(message.topic)
            merged = merge(known, message) if known else message
            self._found[message.topic] = bound(merged, conf.MAX_WAITING_ROWS)

    def _news(self) -> list[Message]:
        """Return the messages that hold more than a position."""
        return [each for each in self._found.values() if each.changes or each.reset]
