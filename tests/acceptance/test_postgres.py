"""The demo on PostgreSQL: writes of other programs show in two browsers."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator

import psycopg
import pytest

from tests.acceptance.conftest import Open
from tests.acceptance.todo import ListPage, Template, Todo
from tools.demo_server import DemoServer
from tools.find_postgres import find_postgres
from tools.postgres import Postgres

pytestmark = [
    pytest.mark.browser,
    pytest.mark.long,
    pytest.mark.asyncio(loop_scope="session"),
]


@pytest.fixture(scope="module")
def template() -> Iterator[Template]:
    """A database to copy, migrated (with the triggers), on a server of its own."""
    with Postgres() as postgres:
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE template")
        yield Template.prepare(postgres.url_of("template"))


@pytest.fixture
def server(template: Template) -> Iterator[DemoServer]:
    """A running demo on a database of its own."""
    with DemoServer.prepared_on(str(template.database)) as server:
        yield server


async def two(open_as: Open, todo: Todo) -> tuple[ListPage, ListPage]:
    """Open the list in two browsers."""
    ada, grace = [ListPage(await open_as(user, todo.home_path)) for user in ("ada", "grace")]
    return ada, grace


async def test_an_update_in_a_shell_shows(open_as: Open, todo: Todo, server: DemoServer) -> None:
    """`QuerySet.update()`, in another process."""
    pages = await two(open_as, todo)

    await asyncio.to_thread(
        server.shell, "Task.objects.filter(title__startswith='Call').update(title='Updated')"
    )

    for page in pages:
        await page.task("Updated").is_shown()
        await page.task("Call Alan").is_gone()


async def test_a_statement_of_psql_shows(open_as: Open, todo: Todo, server: DemoServer) -> None:
    """The database's own shell, without Django: triggers store the message."""
    pages = await two(open_as, todo)
    statement = (
        "UPDATE demo_todo_task SET title = 'By psql' WHERE title = 'Call Alan';"
        "DELETE FROM demo_todo_task WHERE title = 'Pay the rent'"
    )

    await asyncio.to_thread(
        subprocess.run,
        [find_postgres() / "psql", "--quiet", "-c", statement, str(server.database)],
        check=True,
    )

    for page in pages:
        await page.task("By psql").is_shown()
        await page.task("Pay the rent").is_gone()


async def test_an_action_of_the_admin_shows(open_as: Open, todo: Todo, server: DemoServer) -> None:
    """Django's own action, on many tasks at once."""
    pages = await two(open_as, todo)
    admin = await pages[0].page.context.new_page()  # ada is the demo's superuser
    await admin.goto("/admin/demo_todo/task/")
    for title in ("Pay the rent", "Call Alan"):
        await admin.get_by_role("row", name=title).get_by_role("checkbox").check()

    await admin.get_by_label("Action:").select_option("delete_selected")
    await admin.locator("button[name=index]").click()
    await admin.get_by_role("button", name="Yes").click()

    for page in pages:
        await page.task("Pay the rent").is_gone()
        await page.task("Call Alan").is_gone()
        await page.task("Water the plants").is_shown()
