"""Take the README's picture: `python -m tools.screenshots`.

It shows the pages of two members of a list side by side, right after one of them added a task and
the other's page has shown it.
"""

from __future__ import annotations

import asyncio
import base64
import tempfile
from pathlib import Path

from playwright.async_api import Browser, Page, expect

from tools.demo_browser import chromium, log_in
from tools.demo_server import ROOT, DemoServer

PICTURE = ROOT / "docs" / "images" / "demo.png"
WIDTH, HEIGHT = 720, 640

FRAME = """
<body style="margin: 0; padding: 24px; background: #d6dbd8; display: flex; gap: 24px">
  {pictures}
</body>
"""
ONE = (
    '<img src="data:image/png;base64,{data}" style="border-radius: 10px; box-shadow:'
    ' 0 6px 24px #0004" width="{width}" height="{height}">'
)


async def main() -> None:
    """Take the picture of a freshly seeded demo."""
    with tempfile.TemporaryDirectory() as folder, DemoServer.prepared(Path(folder)) as server:
        async with chromium() as browser:
            ada, grace = [await _open(browser, server, user) for user in ("ada", "grace")]
            await _change(ada, grace)
            pictures = [await page.screenshot() for page in (ada, grace)]
            PICTURE.parent.mkdir(parents=True, exist_ok=True)
            PICTURE.write_bytes(await _side_by_side(browser, pictures))


async def _open(browser: Browser, server: DemoServer, user: str) -> Page:
    context = await browser.new_context(
        base_url=server.url,
        viewport={"width": WIDTH, "height": HEIGHT},
        color_scheme="light" if user == "ada" else "dark",
    )
    page = await context.new_page()
    await log_in(page, user, "/lists/1/")
    return page


async def _change(ada: Page, grace: Page) -> None:
    field = ada.get_by_label("New task")
    await field.fill("Candles for the cake")
    await field.press("Enter")
    await expect(grace.locator('input[value="Candles for the cake"]')).to_be_visible()
    await expect(grace.locator(".changed")).to_have_count(1)


async def _side_by_side(browser: Browser, pictures: list[bytes]) -> bytes:
    images = (
        ONE.format(data=base64.b64encode(picture).decode(), width=WIDTH, height=HEIGHT)
        for picture in pictures
    )
    page = await browser.new_page(viewport={"width": 2 * WIDTH + 72, "height": HEIGHT + 48})
    await page.set_content(FRAME.format(pictures="".join(images)))
    return await page.screenshot()


if __name__ == "__main__":
    asyncio.run(main())
