"""`runner.js`: one handler, one run at a time; what failed stays owed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tests.convergence.imitation.backoff import Backoff
from tests.convergence.imitation.news import News, merge_news
from tests.convergence.imitation.pace import Pace
from tests.convergence.imitation.tools import Alarm, Tools

Handler = Callable[[News], Awaitable[None]]

OVERDUE = 30.0


class Runner:
    """Runs a handler; its cursor moves only when a run has succeeded.

    `spread` waits for the run's turn in a crowd, `waiting` for the retry of what failed.
    """

    def __init__(
        self,
        handler: Handler,
        cursor: str | None,
        tools: Tools,
        pace: Pace,
        changed: Callable[[], None],
    ) -> None:
        self.cursor = cursor
        self.behind = False
        self._handler = handler
        self._tools = tools
        self._pace = pace
        self._changed = changed
        self._backoff = Backoff(tools.random.random)
        self._owed: News | None = None
        self._state = "idle"
        self._is_stopped = False
        self._alarm = Alarm(tools)
        self._call_off: Callable[[], None] = lambda: None
        self._under_way = 0

    @property
    def idle(self) -> bool:
        """Is there nothing to do?"""
        return (self._is_stopped or self._state == "idle") and not self._under_way

    def start_from(self, cursor: str | None) -> None:
        """Take a first position."""
        if self.cursor is None:
            self.cursor = cursor

    def tell(self, news: News) -> None:
        """Owe the handler this news; run it, in its pace, unless a run is under way or a wait."""
        if self._is_stopped:
            return
        if self._tools.careless:
            self._tools.spawn(self._run_carelessly(news))
            return
        self._owed = merge_news(self._owed, news) if self._owed else news
        if self._state == "idle":
            self._begin(self._owed)

    def retry(self) -> None:
        """Retry now what waits for its retry."""
        if self._state == "waiting":
            self._start()

    def hurry(self) -> None:
        """Wait no longer, for whatever it is."""
        self._pace.wake()
        if self._state == "spread":
            self._start()
        self.retry()

    def stop(self) -> None:
        """Run nothing more, and forget how a run under way ends."""
        self._is_stopped = True
        self._owed = None
        if self._state != "running":
            self._state = "idle"
        self._call_off()
        self._alarm.clear()
        self._set_behind(False)

    def restart(self) -> None:
        """Run again, for news after the cursor; a run still under way counts again."""
        self._is_stopped = False
        if self._state == "running":
            self._alarm.set(OVERDUE, self._fall_behind)

    def _begin(self, owed: News) -> None:
        if owed.is_empty:
            self._start()
            return
        self._state = "spread"
        self._alarm.set(OVERDUE, self._fall_behind)
        self._call_off = self._pace.wait(owed, self._start)

    def _start(self) -> None:
        self._call_off()
        self._alarm.clear()
        self._state = "running"
        news, self._owed = self._owed, None
        assert news is not None
        self._tools.spawn(self._run(news))

    async def _run(self, news: News) -> None:
        applied = news.is_empty or await self._call(news)
        self._state = "idle"
        if self._is_stopped:
            return
        if not applied:
            self._retry_later(news)
            return
        self.cursor = news.cursor if news.cursor is not None else self.cursor
        self._backoff.reset()
        self._set_behind(False)
        if self._owed:
            self._begin(self._owed)
        else:
            self._tools.news()

    async def _call(self, news: News) -> bool:
        self._alarm.set(OVERDUE, self._fall_behind)
        applied = await self._apply(news)
        self._alarm.clear()
        return applied

    async def _apply(self, news: News) -> bool:
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
            while not (news.is_empty or await self._apply(news)):
                await asyncio.sleep(0.1)
        finally:
            self._under_way -= 1
            self._tools.news()
        self.cursor = news.cursor if news.cursor is not None else self.cursor

    def _retry_later(self, news: News) -> None:
        self._owed = merge_news(news, self._owed) if self._owed else news
        self._state = "waiting"
        self._alarm.set(self._backoff.next(), self._start)
        self._set_behind(True)

    def _fall_behind(self) -> None:
        self._set_behind(True)

    def _set_behind(self, behind: bool) -> None:
        if behind != self.behind:
            self.behind = behind
            self._changed()
