"""Two members of a list see each other's changes at once."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from tests.acceptance.conftest import Open
from tests.acceptance.todo import ListPage, Todo, in_sync
from tools.demo_browser import log_in

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_login_leads_to_the_requested_page(browser: Browser, todo: Todo) -> None:
    """The page is live. All other tests begin logged in."""
    context = await browser.new_context(base_url=todo.server.url)
    page = await context.new_page()

    await log_in(page, "ada", todo.home_path)

    await ListPage(page).task("Call Alan").is_shown()
    await context.close()


async def test_a_task_moved_between_lists_leaves_one_and_enters_the_other(
    open_as: Open, todo: Todo
) -> None:
    """Open pages of both lists are correct: the topics it did and does belong to are sent."""
    homes = [ListPage(await open_as(user, todo.home_path)) for user in ("ada", "grace")]
    works = [ListPage(await open_as(user, todo.work_path)) for user in ("ada", "grace")]

    await homes[0].task("Water the plants").move_to("Work")

    for page in homes:
        await expect(page.titles).not_to_contain_text("Water the plants")
        assert await page.shown() == ["Pay the rent", "Call Alan"]
    for page in works:
        await page.task("Water the plants").is_shown()


async def test_each_change_appears_on_the_other_members_page(open_as: Open, todo: Todo) -> None:
    """Add, tick, rename, reassign, set a date, delete: each appears on the other's page."""
    ada, grace = [ListPage(await open_as(user, todo.home_path)) for user in ("ada", "grace")]

    await ada.add("Buy bread")
    await grace.task("Buy bread").is_shown()
    await grace.task("Buy bread").rename("Buy rye bread")
    await ada.task("Buy rye bread").is_shown()
    await ada.task("Buy rye bread").assign("grace")
    await expect(grace.task("Buy rye bread").assignee).to_have_value(str(todo.user_pk("grace")))
    await grace.task("Buy rye bread").set_due("2030-01-31")
    await expect(ada.task("Buy rye bread").due).to_have_value("2030-01-31")
    await ada.task("Buy rye bread").tick()
    await expect(grace.task("Buy rye bread").done).to_be_checked()
    await grace.task("Buy rye bread").delete()
    await ada.task("Buy rye bread").is_gone()
    await in_sync(ada, grace)


async def test_a_row_that_has_just_changed_is_marked(open_as: Open, todo: Todo) -> None:
    """The other's page marks the row for a moment, and only that row."""
    ada, grace = [ListPage(await open_as(user, todo.home_path)) for user in ("ada", "grace")]

    await ada.task("Call Alan").rename("Call Alan back")

    await grace.task("Call Alan back").is_shown()
    await expect(grace.page.locator(".changed")).to_have_count(1)
    await expect(grace.page.locator(".changed")).to_have_count(0)


@pytest.mark.long
async def test_dragging_reorders_on_both_pages(open_as: Open, todo: Todo) -> None:
    """The last task is dragged by its handle to the first place."""
    ada, grace = [ListPage(await open_as(user, todo.home_path)) for user in ("ada", "grace")]

    await ada.drag("Call Alan", above="Pay the rent")

    await grace.shows(["Call Alan", "Pay the rent", "Water the plants"])
    await ada.shows(["Call Alan", "Pay the rent", "Water the plants"])


@pytest.mark.long
async def test_reassigning_shows_on_the_pages_of_assigned_tasks(open_as: Open, todo: Todo) -> None:
    """A task given to grace enters her page, and leaves it when it is given to ada."""
    grace = ListPage(await open_as("grace", "/mine/"))
    ada = ListPage(await open_as("ada", todo.home_path))

    await ada.task("Pay the rent").assign("grace")
    await grace.task("Pay the rent").is_shown()
    await ada.task("Pay the rent").assign("ada")
    await grace.task("Pay the rent").is_gone()


async def test_open_pages_of_a_deleted_list_say_that_it_is_gone(open_as: Open, todo: Todo) -> None:
    """On the other member's page, after the confirmation."""
    ada, grace = [ListPage(await open_as(user, todo.home_path)) for user in ("ada", "grace")]
    overview = await open_as("grace", "/")

    await ada.page.get_by_role("link", name="Delete list").click()
    await ada.page.get_by_role("button", name="Delete").click()

    await ada.page.wait_for_url("**/")
    await expect(overview.get_by_role("link", name="Home")).to_have_count(0)
    await expect(grace.page.get_by_role("heading", level=1)).to_have_text("Nothing to see here")


@pytest.mark.long
async def test_an_invited_member_sees_the_list_appear(open_as: Open, todo: Todo) -> None:
    """Membership is data too: the invited user's overview shows the list, live from then on."""
    alan = await open_as("alan", "/")
    ada = ListPage(await open_as("ada", todo.home_path))
    await expect(alan.get_by_role("link", name="Home")).to_have_count(0)

    await ada.invite("alan")
    await expect(alan.get_by_role("link", name="Home")).to_be_visible()
    card = alan.locator(".card", has_text="Home")
    await expect(card.locator("strong").first).to_have_text("3")
    await ada.add("Buy bread")

    await expect(card.locator("strong").first).to_have_text("4")


async def test_errors_appear_beside_their_field(open_as: Open, todo: Todo) -> None:
    """A blank title is refused in place, and other members' pages do not change."""
    ada = ListPage(await open_as("ada", todo.home_path))

    await ada.task("Call Alan").rename("   ")

    await expect(ada.page.locator(".error:visible")).to_contain_text("required")
    assert todo.titles("Home") == ["Pay the rent", "Water the plants", "Call Alan"]
