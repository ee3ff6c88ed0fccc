"""The README followed with the wheel: a page changes by itself."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.packaging.conftest import ROOT
from tests.packaging.readme import Walk, read_walk
from tests.packaging.walkthrough import PASSWORD, USERNAME, WalkThrough
from tools.demo_browser import chromium

pytestmark = [pytest.mark.packaging, pytest.mark.timeout(600)]


@pytest.fixture
def walk() -> Walk:
    return read_walk((ROOT / "README.md").read_text())


@pytest.fixture
def project(walk: Walk, wheel: Path, tmp_path: Path) -> WalkThrough:
    project = WalkThrough(walk, tmp_path, wheel)
    project.set_up()
    return project


@pytest.fixture
def address(project: WalkThrough) -> Iterator[str]:
    with project.server() as address:
        yield address


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


async def test_page_of_the_readme_changes_in_every_browser(
    walk: Walk, project: WalkThrough, address: str, browser: Browser
) -> None:
    """A row changed by another process shows in two open pages, without a reload."""
    pages = [await open_page(browser, address, walk.page) for _ in range(2)]
    shown = [await page.inner_text("body") for page in pages]

    await asyncio.to_thread(project.change)

    for page, before in zip(pages, shown, strict=True):
        await expect(page.locator("body"), project.server_log()).not_to_have_text(
            re.compile(rf"^\s*{whole(before)}\s*$"), timeout=15_000, use_inner_text=True
        )
        assert await page.evaluate("window.sameDocument"), "the page was reloaded as a whole"


async def open_page(browser: Browser, address: str, path: str) -> Page:
    """Log in as the README's user, open the page, wait until it is live."""
    page = await (await browser.new_context()).new_page()
    await page.goto(f"{address}/admin/login/?next={path}")
    await page.fill("input[name=username]", USERNAME)
    await page.fill("input[name=password]", PASSWORD)
    await page.click("[type=submit]")
    await expect(page).to_have_url(f"{address}{path}")
    await page.wait_for_selector("html[data-live-state=live]")
    await page.evaluate("window.sameDocument = true")
    return page


def whole(text: str) -> str:
    """Return a pattern for `text` with any white space between its words."""
    return r"\s+".join(re.escape(word) for word in text.split())
