"""The demo in a server process, two browsers, and other processes that write."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page

from tests.acceptance.todo import Template, Todo
from tools.demo_browser import LIVE, chromium
from tools.demo_server import DemoServer

PATIENCE = 30_000
"""Milliseconds within which a page must show a change; a quiet machine needs some tens."""

Open = Callable[..., Awaitable[Page]]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A database file to copy, prepared once."""
    return Template.prepare(tmp_path_factory.mktemp("template") / "demo.sqlite3")


@pytest.fixture
def server(tmp_path: Path, template: Template) -> Iterator[DemoServer]:
    """A running demo with a database of its own."""
    assert isinstance(template.database, Path)
    with DemoServer.prepared(tmp_path, template=template.database) as server:
        yield server


@pytest.fixture
def todo(server: DemoServer, template: Template) -> Todo:
    """Two lists that ada and grace share, with known tasks."""
    return Todo(server, template)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for the whole run; each page gets a context of its own."""
    async with chromium() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def open_as(todo: Todo, browser: Browser) -> AsyncIterator[Open]:
    """`page = await open_as("ada", "/lists/1/")`: a page in a browser logged in as ada.

    The page is live when it is returned. A script error on any page fails the test.
    """
    problems: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # Chromium reports each failed request too; those are the tests' own doing.
        if message.type == "error" and "Failed to load resource" not in message.text:
            problems.append(message.text)

    async with AsyncExitStack() as stack:

        async def open_as(user: str, path: str = "/", **options: object) -> Page:
            url, session = todo.server.url, todo.template.sessions[user]
            context = await browser.new_context(base_url=url, **options)  # type: ignore[arg-type]
            stack.push_async_callback(context.close)
            context.set_default_timeout(PATIENCE)
            page = await context.new_page()
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on("console", note)
            await context.add_cookies([{"name": "sessionid", "value": session, "url": url}])
            await page.goto(path)
            await page.wait_for_selector(LIVE)
            return page

        yield open_as
    assert problems == []
