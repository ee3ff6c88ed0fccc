"""Users who join and leave lists, with their clients; the database says who may receive what."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import connections

from demo_todo.models import Membership, Task, TodoList
from realtime.access import allow
from realtime.server import close_server
from tests.realtime.hostile.direct import SETTINGS, Direct
from tests.realtime.live_client import PATIENCE
from tests.realtime.websocket.telling import in_thread

REALTIME = {"AUTHENTICATE": SETTINGS["AUTHENTICATE"], "MAX_FRAMES_A_SECOND": 1000}
USERS, LISTS = 2, 2
Place = tuple[int, int]
"""A user and a list, by their primary keys."""


def register_rule() -> None:
    """Let members watch a list; the table of members is tracked."""

    @allow("list", depends=lambda user, list_id: [f"member:{user.pk}"])
    def is_member(user: Any, list_id: int) -> bool:
        return Membership.objects.filter(list=list_id, user=int(user.pk)).exists()


class Page:
    """A client that follows the protocol, and records when it received what."""

    def __init__(self, club: Club, user: int) -> None:
        self.club, self.user = club, user
        self.socket = Direct(str(club.users[user].pk), is_good=True)
        self.state: dict[str, str] = {}
        """Topic -> the client's state: asked or live; missing if it may not watch."""
        self.since: dict[str, float] = {}
        self.cursors: dict[str, str] = {}
        self.heard: defaultdict[str, set[str]] = defaultdict(set)
        self.resets: set[str] = set()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while True:
            frame = await self.socket._until(("subscribed", "changed", "denied", "revoked"))
            self.problems(frame)
            for topic in frame["topics"]:
                self._note(frame["type"], topic, frame["topics"])

    def problems(self, frame: dict[str, Any]) -> None:
        """Record violations: messages of a topic that is not subscribed, or not yet."""
        expected = {"changed": "live", "subscribed": "asked", "denied": "asked"}
        for topic in frame["topics"]:
            state = self.state.get(topic)
            if state is None or expected.get(frame["type"], state) != state:
                self.club.wrong.append(f"{frame} while {state}")

    def _note(self, kind: str, topic: str, told: Any) -> None:
        if kind in ("denied", "revoked"):
            begin = self.since.pop(topic)
            del self.state[topic]
            if not self.club.was_away(self.user, topic, begin):
                self.club.wrong.append(f"{kind} {topic}, and {self.user} was always a member")
        elif kind == "subscribed":
            self.state[topic] = "live"
            self.cursors[topic] = told[topic]["cursor"]
        else:
            self.cursors[topic] = told[topic]["cursor"] or self.cursors[topic]
            rows = told[topic].get("changes", {}).get("demo_todo.task", {})
            self.heard[topic].update(pk for pks in rows.values() for pk in pks)
            if "reset" in told[topic]:
                self.resets.add(topic)

    def subscribe(self, topic: str) -> None:
        """Request a topic once, with the cursor that the client has."""
        if topic not in self.state:
            self.state[topic] = "asked"
            self.since[topic] = time.monotonic()
            cursor = {"cursor": self.cursors[topic]} if topic in self.cursors else {}
            self.socket.says({"type": "subscribe", "subscriptions": [{"topic": topic} | cursor]})

    async def reconnect(self) -> Page:
        """Reconnect with the cursors received, as a page whose network was away."""
        await self.leave()
        page = Page(self.club, self.user)
        page.cursors, page.heard, page.resets = self.cursors, self.heard, self.resets
        for topic in self.state:
            page.subscribe(topic)
        return page

    async def leave(self) -> None:
        self._reading.cancel()
        await self.socket.leave()


class Club:
    """One database, one process, and the history of memberships and tasks."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.pages: list[Page] = []
        self.members: set[Place] = set()
        self.absences: defaultdict[Place, list[list[float]]] = defaultdict(list)
        """Member -> times without membership: from, until."""

    async def begin(self) -> None:
        names = f"{time.monotonic_ns()}"

        def make() -> None:
            self.users = [User.objects.create(username=f"{names}-{n}") for n in range(USERS)]
            self.lists = [TodoList.objects.create(name="A list") for _ in range(LISTS)]

        await in_thread(make)
        for user in range(USERS):
            for each in range(LISTS):
                self.absences[user, each].append([0.0, float("inf")])
                await self.join(user, each)
        self.pages = [Page(self, user) for user in range(USERS)]

    async def end(self) -> None:
        for page in self.pages:
            await page.leave()
        await asyncio.wait_for(close_server(), PATIENCE)
        await sync_to_async(connections.close_all)()

    def topic(self, number: int) -> str:
        return f"list:{self.lists[number].pk}"

    def was_away(self, user: int, topic: str, since: float) -> bool:
        """Return whether this user was no member at some time since a moment."""
        (number,) = (n for n in range(LISTS) if self.topic(n) == topic)
        return any(until >= since for _, until in self.absences[user, number])

    async def join(self, user: int, number: int) -> None:
        if (user, number) not in self.members:
            self.members.add((user, number))
            await in_thread(
                lambda: Membership.objects.create(list=self.lists[number], user=self.users[user])
            )
            self.absences[user, number][-1][1] = time.monotonic()

    async def quit(self, user: int, number: int) -> None:
        if (user, number) in self.members:
            self.members.discard((user, number))
            self.absences[user, number].append([time.monotonic(), float("inf")])
            await in_thread(
                lambda: Membership.objects.filter(
                    list=self.lists[number], user=self.users[user]
                ).delete()
            )

    async def write(self, user: int, number: int) -> str:
        """Write a task; return its key, which all members must receive."""
        task = await in_thread(lambda: Task.objects.create(list=self.lists[number], title="Milk"))
        return str(task.pk)

    async def subscribe(self, user: int, number: int) -> None:
        self.pages[user].subscribe(self.topic(number))

    async def reconnect(self, user: int, number: int) -> None:
        self.pages[user] = await self.pages[user].reconnect()

    async def wait(self, user: int, number: int) -> None:
        await asyncio.sleep(0.01 * number)
