"""The browser client's DOM specs, each run in a page loaded anew in Chromium."""

import re
import threading
from collections.abc import AsyncIterator, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
import pytest_asyncio
from playwright.async_api import Page

from tools.demo_browser import chromium

ROOT = Path(__file__).resolve().parents[2]
SPECS = sorted((ROOT / "tests/js/dom").glob("*.spec.js"))

# A spec is `async "what it shows"() {` in the object `tests`, indented once.
SPEC = re.compile(r'^  async "(.+)"\(\) \{$', re.MULTILINE)

RUN = "async ([path, name]) => (await import(path)).tests[name]()"
NAMES = "async (path) => Object.keys((await import(path)).tests)"

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def names(spec: Path) -> list[str]:
    return SPEC.findall(spec.read_text())


class Files(SimpleHTTPRequestHandler):
    """Serves the repository, and an empty page."""

    extensions_map: ClassVar = {
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
    }

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/blank":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(b"<!doctype html><html><head></head><body></body></html>")

    def log_message(self, *args: object) -> None:
        """Say nothing: a failing spec says enough."""


@pytest.fixture(scope="module")
def files() -> Iterator[str]:
    """The URL under which the repository is served."""
    handler = partial(Files, directory=str(ROOT))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def page(files: str) -> AsyncIterator[Page]:
    """One page for all specs, which each of them loads anew."""
    async with chromium() as browser:
        yield await browser.new_page(base_url=files)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.stem)
async def test_every_spec_is_found(spec: Path, page: Page) -> None:
    """What is read from the file is what it exports: no spec is passed over."""
    await page.goto("/blank")

    exported = await page.evaluate(NAMES, f"/{spec.relative_to(ROOT)}")

    assert exported == names(spec)
    assert exported


@pytest.mark.parametrize(
    ("spec", "name"),
    [pytest.param(spec, name, id=f"{spec.stem}: {name}") for spec in SPECS for name in names(spec)],
)
async def test_dom(spec: Path, name: str, page: Page) -> None:
    """The spec does not throw."""
    await page.goto("/blank")

    await page.evaluate(RUN, [f"/{spec.relative_to(ROOT)}", name])
