"""The demo for tests: its data by the database, and its pages as a user operates them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from playwright.async_api import Locator, Page, expect

from tools.demo_server import DemoServer, in_shell, prepare_database

PATIENCE = 30.0
"""Seconds within which pages must show the same."""

SETUP = """
import json
from django.test import Client
def session_of(user):
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value
users = {user.username: user for user in User.objects.all()}
TodoList.objects.all().delete()
lists = {}
for name, titles in (
    ("Home", ["Pay the rent", "Water the plants", "Call Alan"]),
    ("Work", ["Write the report"]),
):
    made = TodoList.objects.create(name=name)
    lists[name] = made.pk
    for member in ("ada", "grace"):
        made.memberships.create(user=users[member])
    for position, title in enumerate(titles):
        made.tasks.create(title=title, position=position)
print(json.dumps({
    "pks": lists,
    "users": {name: user.pk for name, user in users.items()},
    "sessions": {name: session_of(user) for name, user in users.items()},
}))
"""


@dataclass(frozen=True)
class Template:
    """A database to copy, with the rows that `Todo` names."""

    database: Path | str
    pks: dict[str, int]
    users: dict[str, int]
    sessions: dict[str, str]

    @classmethod
    def prepare(cls, database: Path | str) -> Self:
        """Migrate and seed a database, replace the seeded lists, and log both users in."""
        prepare_database(database)
        return cls(database, **json.loads(in_shell(database, SETUP)))


@dataclass(frozen=True)
class Todo:
    """Two lists that ada and grace share, Home with three tasks and Work with one."""

    server: DemoServer
    template: Template

    @property
    def home_path(self) -> str:
        return f"/lists/{self.template.pks['Home']}/"

    @property
    def work_path(self) -> str:
        return f"/lists/{self.template.pks['Work']}/"

    def user_pk(self, name: str) -> int:
        return self.template.users[name]

    def titles(self, name: str) -> list[str]:
        """Return a list's tasks in the database."""
        pk = self.template.pks[name]
        code = (
            "import json; print(json.dumps(list("
            f"Task.objects.filter(list={pk}).values_list('title', flat=True))))"
        )
        titles: list[str] = json.loads(self.server.shell(code))
        return titles


class Row:
    """One task on a page, found by its title."""

    def __init__(self, page: Page, title: str) -> None:
        self.page = page
        # The title is a field's value, kept in the markup as an attribute.
        self.row = page.locator(".task", has=page.locator(f'input[name=title][value="{title}"]'))
        self.done = self.row.locator("input[name=done]")
        self.title = self.row.locator("input[name=title]")
        self.assignee = self.row.locator("select[name=assignee]")
        self.due = self.row.locator("input[name=due]")
        self.list = self.row.locator("select[name=list]")
        self.handle = self.row.locator(".handle")

    async def is_shown(self) -> None:
        await expect(self.row).to_be_visible()

    async def is_gone(self) -> None:
        await expect(self.row).to_have_count(0)

    async def tick(self) -> None:
        await self.done.click()

    async def rename(self, title: str) -> None:
        # The row is found by its title: take hold of the field before that changes.
        field = self.page.locator(f"#{await self.title.get_attribute('id')}")
        await field.fill(title)
        await field.press("Enter")

    async def assign(self, user: str) -> None:
        await self.assignee.select_option(label=user)

    async def set_due(self, date: str) -> None:
        await self.due.fill(date)
        await self.due.blur()

    async def move_to(self, name: str) -> None:
        await self.list.select_option(label=name)

    async def delete(self) -> None:
        await self.row.locator(".delete").click()


class ListPage:
    """A page with tasks."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.titles: Locator = page.locator(".tasks")

    def task(self, title: str) -> Row:
        return Row(self.page, title)

    async def add(self, title: str) -> None:
        field = self.page.get_by_label("New task")
        await field.fill(title)
        await field.press("Enter")

    async def invite(self, user: str) -> None:
        await self.page.get_by_label("Username to invite").fill(user)
        await self.page.get_by_role("button", name="Invite").click()

    async def shown(self) -> list[str]:
        """Return the titles on the page, in order."""
        fields = self.page.locator(".task input[name=title]")
        return await fields.evaluate_all("fields => fields.map(field => field.value)")

    async def shows(self, titles: list[str]) -> None:
        """Wait until the page shows these titles in this order."""
        fields = self.page.locator(".task input[name=title]")
        await expect(fields).to_have_count(len(titles))
        for place, title in enumerate(titles):
            await expect(fields.nth(place)).to_have_value(title)

    async def drag(self, title: str, *, above: str) -> None:
        """Drag a task by its handle, with the mouse, over another one."""
        await self.task(title).handle.hover()
        await self.page.mouse.down()
        box = await self.task(above).row.bounding_box()
        assert box is not None
        for step in range(1, 11):
            await self.page.mouse.move(box["x"] + 10, box["y"] + 200 - step * 20)
        await self.page.mouse.move(box["x"] + 10, box["y"] + 2, steps=5)
        await self.page.mouse.up()


async def in_sync(*pages: ListPage) -> None:
    """Wait until pages of one list show the same: each fetches by itself."""
    async with asyncio.timeout(PATIENCE):
        while True:
            first, *others = [await page.shown() for page in pages]
            if all(shown == first for shown in others):
                return
            await asyncio.sleep(0.05)
