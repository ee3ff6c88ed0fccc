"""`runner.js`: one handler, one run at a time; what failed stays owed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tests.convergence.imitation.news import News, merge_news
from tests.convergence.imitation.tools import Backoff, Tools

Handler = Callable[[News], Awaitable[None]]


class Runner:
    """Runs a handler; its cursor moves only when a run has succeeded."""

    def __init__(self, handler: Handler, cursor: str | None, tools: Tools) -> None:
        self.cursor = cursor
        self.behind = False
        self._handler = handler
        self._tools = tools
        self._backoff = Backoff(tools)
        self._owed: News | None = None
        self._state = "idle"
        self._timer: asyncio.TimerHandle | None = None
        self._under_way = 0

    @property
    def idle(self) -> bool:
        """Is there nothing to do?"""
        return self._state in ("idle", "stopped") and not self._under_way

    def start_from(self, cursor: str | None) -> None:
        """Take a first position."""
        if self.cursor is None:
            self.cursor = cursor

    def tell(self, news: News) -> None:
        """Owe the handler this news; run it at once unless a run is under way or waits."""
        if self._state == "stopped":
            return
        if self._tools.careless:
            self._tools.spawn(self._run_carelessly(news))
            return
        self._owed = merge_news(self._owed, news) if self._owed else news
        if self._state == "idle":
            self._start()

    def hurry(self) -> None:
        """Retry now what waits for its retry."""
        if self._state == "waiting":
            self._start()

    def stop(self) -> None:
        """Run nothing more, and forget how a run under way ends."""
        self._state = "stopped"
        self._cancel_timer()
        self.behind = False

    def _start(self) -> None:
        self._cancel_timer()
        self._state = "running"
        self._tools.spawn(self._run())

    async def _run(self) -> None:
        while self._owed:
            news, self._owed = self._owed, None
            applied = news.is_empty or await self._call(news)
            if self._state == "stopped":
                return
            if not applied:
                self._retry_later(news)
                return
            self.cursor = news.cursor if news.cursor is not None else self.cursor
            self._backoff.reset()
            self.behind = False
        if self._state != "stopped":
            self._state = "idle"
            self._tools.news()

    async def _call(self, news: News) -> bool:
        try:
            await self._handler(news)
        except Exception as error:
            self._tools.note("failed", error=repr(error))
            return False
        return True

    async def _run_carelessly(self, news: News) -> None:
        """What this class is there to prevent: runs that overtake each other."""
        self._under_way += 1
        try:
            while not (news.is_empty or await self._call(news)):
                await asyncio.sleep(0.1)
        finally:
            self._under_way -= 1
            self._tools.news()
        self.cursor = news.cursor if news.cursor is not None else self.cursor

    def _retry_later(self, news: News) -> None:
        self._owed = merge_news(news, self._owed) if self._owed else news
        self._state = "waiting"
        self.behind = True
        self._timer = self._tools.later(self._backoff.next(), self._start)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
