"""The demo by keyboard, on a phone, and with assistive technology."""

from __future__ import annotations

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.acceptance.conftest import Open
from tests.acceptance.todo import ListPage, Todo

pytestmark = [
    pytest.mark.browser,
    pytest.mark.long,
    pytest.mark.asyncio(loop_scope="session"),
]

PHONE = {"width": 360, "height": 740}


async def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the element has the focus."""
    for _ in range(60):
        if await page.evaluate("s => document.activeElement?.matches(s)", selector):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"Tab never reached {selector}")


async def test_the_whole_task_flow_works_by_keyboard(open_as: Open, todo: Todo) -> None:
    """Add, rename, reorder, tick, assign, move, delete: no mouse, and the focus stays."""
    page = await open_as("ada", todo.home_path)
    ada, grace = ListPage(page), ListPage(await open_as("grace", todo.home_path))
    work = ListPage(await open_as("grace", todo.work_path))

    await tab_to(page, "#new-task")
    await page.keyboard.type("Buy bread")
    await page.keyboard.press("Enter")
    await grace.task("Buy bread").is_shown()
    await ada.task("Buy bread").is_shown()
    row = await ada.task("Buy bread").row.get_attribute("id")
    assert await page.evaluate("document.activeElement.id") == "new-task"
    assert await page.get_by_label("New task").input_value() == ""

    await tab_to(page, f"#{row}-title")
    await page.keyboard.press("ControlOrMeta+a")
    await page.keyboard.type("Buy rye bread")
    await page.keyboard.press("Enter")
    await grace.task("Buy rye bread").is_shown()

    await tab_to(page, f"#{row}-handle")
    await page.keyboard.press("ArrowUp")
    await grace.shows(["Pay the rent", "Water the plants", "Buy rye bread", "Call Alan"])
    assert await page.evaluate("document.activeElement.id") == f"{row}-handle"

    await tab_to(page, f"#{row}-assignee")
    await page.keyboard.type("grace")
    await page.keyboard.press("Tab")
    await expect(grace.task("Buy rye bread").assignee).to_have_value(str(todo.user_pk("grace")))

    await tab_to(page, f"#{row}-done")
    await page.keyboard.press("Space")
    await expect(grace.task("Buy rye bread").done).to_be_checked()

    await tab_to(page, f"#{row}-list")
    await page.keyboard.type("Work")
    await page.keyboard.press("Tab")
    await work.task("Buy rye bread").is_shown()
    await grace.task("Buy rye bread").is_gone()
    await ada.task("Buy rye bread").is_gone()

    await tab_to(page, ".delete")
    await page.keyboard.press("Enter")
    await grace.shows(["Water the plants", "Call Alan"])


async def test_a_change_by_another_user_keeps_focus_and_typed_text(
    open_as: Open, todo: Todo
) -> None:
    """The refetch replaces neither."""
    page = await open_as("ada", todo.home_path)
    ada, grace = ListPage(page), ListPage(await open_as("grace", todo.home_path))
    field = await ada.task("Call Alan").title.get_attribute("id")
    await ada.task("Call Alan").title.fill("Call Alan tomo")

    await grace.task("Pay the rent").rename("Pay the rent now")

    await ada.task("Pay the rent now").is_shown()
    assert await page.evaluate("document.activeElement.id") == field
    assert await page.evaluate("document.activeElement.value") == "Call Alan tomo"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious(open_as: Open, todo: Todo, scheme: str) -> None:
    """On every page, in light and in dark."""
    page = await open_as("ada", "/", color_scheme=scheme)
    for path in ("/", todo.home_path, f"{todo.home_path}delete/", "/mine/", "/lists/999/"):
        await page.goto(path)

        found = (await Axe().run(page)).response["violations"]

        serious = [f["id"] for f in found if f["impact"] in {"serious", "critical"}]
        assert serious == [], f"on {path}"


async def test_a_phone_needs_no_horizontal_scroll(open_as: Open, todo: Todo) -> None:
    """At 360 px every page fits."""
    page = await open_as("ada", "/", viewport=PHONE)
    for path in ("/", todo.home_path, f"{todo.home_path}delete/", "/mine/", "/lists/999/"):
        await page.goto(path)

        overflow = await page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )

        assert overflow == 0, f"on {path}"
