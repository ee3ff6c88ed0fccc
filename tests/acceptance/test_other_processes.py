"""Changes from outside the server, and servers that die."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Route, expect

from tests.acceptance.conftest import Open
from tests.acceptance.todo import PATIENCE, ListPage, Todo
from tools.demo_server import DemoServer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def shell(server: DemoServer, code: str) -> None:
    """Write from another process."""
    await asyncio.to_thread(server.shell, code)


async def test_a_change_in_a_shell_reaches_the_page(
    open_as: Open, todo: Todo, server: DemoServer
) -> None:
    """The demo's messages are not bound to the server's process."""
    ada = ListPage(await open_as("ada", todo.home_path))

    await shell(
        server, "t = Task.objects.get(title='Call Alan'); t.title = 'From a shell'; t.save()"
    )

    await ada.task("From a shell").is_shown()


async def test_a_rolled_back_change_does_not_show(
    open_as: Open, todo: Todo, server: DemoServer
) -> None:
    """No message is sent for it: the page is fetched once, for the committed change."""
    ada = ListPage(await open_as("ada", todo.home_path))
    refetches: list[str] = []
    ada.page.on("request", lambda r: refetches.append(r.url) if r.url.endswith("/") else None)

    await shell(
        server,
        "from django.db import transaction\n"
        "t = Task.objects.get(title='Call Alan')\n"
        "with transaction.atomic():\n"
        "    t.title = 'Never was'; t.save(); transaction.set_rollback(True)\n"
        "s = Task.objects.get(title='Pay the rent'); s.title = 'Sentinel'; s.save()\n",
    )

    await ada.task("Sentinel").is_shown()
    await ada.task("Never was").is_gone()
    assert len(refetches) == 1


async def test_a_page_catches_up_after_its_server_was_killed(
    open_as: Open, todo: Todo, server: DemoServer
) -> None:
    """Changes committed while no server ran show once one runs again."""
    ada = ListPage(await open_as("ada", todo.home_path))

    await asyncio.to_thread(server.kill)
    await expect(ada.page.locator("html")).not_to_have_attribute("data-live-state", "live")
    await shell(server, "Task.objects.filter(title='Call Alan').delete()")
    await asyncio.to_thread(server.start)

    await ada.task("Call Alan").is_gone()
    await expect(ada.page.locator("html")).to_have_attribute("data-live-state", "live")
    await ada.add("After the restart")
    await ada.task("After the restart").is_shown()


async def test_a_change_between_rendering_and_subscribing_is_noticed(
    open_as: Open, todo: Todo, server: DemoServer
) -> None:
    """The page was rendered before the change and subscribes after it."""
    ada = ListPage(await open_as("ada", todo.home_path))
    held: asyncio.Future[Route] = asyncio.get_running_loop().create_future()

    async def hold(route: Route) -> None:
        held.set_result(route)

    await ada.page.route("**/realtime/live.bundle.js", hold)

    await ada.page.reload(wait_until="commit")
    route = await asyncio.wait_for(held, PATIENCE)
    await shell(server, "Task.objects.filter(title='Call Alan').delete()")
    await route.continue_()

    await ada.task("Call Alan").is_gone()
