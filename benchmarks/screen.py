"""The time from a commit in another process to the change on a second browser's screen.

A process of its own renames a task a hundred times and notes the time right after each commit. A
page in Chromium, of another user, notes when the new title is in the document and
the next frame is drawn. Both read the same machine's clock.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path

from playwright.async_api import Browser, Page

from benchmarks.report import machine, percentile, table
from tools.demo_browser import chromium, log_in
from tools.demo_server import DemoServer

CHANGES = 100
CHANGE_INTERVAL = 0.3
"""Seconds between changes, jittered, so that they spread over the reader's interval."""

WRITER = f"""
import json, random, time
task = Task.objects.filter(list__members__username="grace").first()
written = {{}}
for number in range({CHANGES}):
    time.sleep({CHANGE_INTERVAL} * random.uniform(0.5, 1.5))
    task.title = f"Change {{number}}"
    task.save()
    written[task.title] = time.time() * 1000
print(json.dumps(written))
"""

OBSERVER = """
() => {
  window.seen = {};
  const now = () => performance.timeOrigin + performance.now();
  const look = () => {
    for (const field of document.querySelectorAll("input[name=title]")) {
      const title = field.value;
      if (title.startsWith("Change ") && !(title in window.seen)) {
        window.seen[title] = null;
        // The callback runs before a frame is drawn; the task behind it, after.
        requestAnimationFrame(() => setTimeout(() => { window.seen[title] = now(); }));
      }
    }
  };
  new MutationObserver(look).observe(document.body,
    {subtree: true, childList: true, attributes: true, characterData: true});
}
"""


def run() -> str:
    """Measure under both servers and return the report."""
    rows = []
    for kind in ("daphne", "uvicorn"):
        times = asyncio.run(_measure(kind))
        figures = [f"{percentile(times, p):.0f}" for p in (50, 90, 99)]
        rows.append([kind, len(times), *figures, f"{max(times):.0f}"])
    header = ["server", "changes", "p50 ms", "p90 ms", "p99 ms", "max ms"]
    return f"{machine()}\n\n{table(header, rows)}"


async def _measure(kind: str) -> list[float]:
    with (
        tempfile.TemporaryDirectory() as folder,
        DemoServer.prepared(Path(folder), kind) as server,
    ):
        async with chromium() as browser:
            page = await _open(browser, server)
            written = json.loads(await asyncio.to_thread(server.shell, WRITER))
            await page.wait_for_function("n => window.seen[`Change ${n}`]", arg=CHANGES - 1)
            seen = await page.evaluate("window.seen")
    unseen = [title for title in written if not seen.get(title)]
    if unseen:
        raise RuntimeError(f"never drawn: {unseen}")
    return [seen[title] - at for title, at in written.items()]


async def _open(browser: Browser, server: DemoServer) -> Page:
    pk = server.shell("print(Task.objects.filter(list__members__username='grace').first().list_id)")
    page = await (await browser.new_context(base_url=server.url)).new_page()
    await log_in(page, "grace", f"/lists/{pk.strip()}/")
    await page.evaluate(OBSERVER)
    return page
