"""Chromium, and users of the demo in it, for tests, benchmarks and pictures."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Page, async_playwright

from tools.find_browser import find_browser

PASSWORD = "live-demo"
LIVE = "html[data-live-state=live]"
"""A selector that matches once a page is live."""


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run a headless Chromium; the caller makes a context in it for each user."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_browser(),
            # Root, the user in containers, may not use the sandbox.
            args=["--no-sandbox"],
        )
        yield browser
        await browser.close()


async def log_in(page: Page, user: str, path: str) -> None:
    """Log a seeded user in, go to `path`, and wait until that page is live."""
    await page.goto(f"/login/?next={path}")
    await page.get_by_label("Username").fill(user)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url(f"**{path}")
    await page.wait_for_selector(LIVE)
