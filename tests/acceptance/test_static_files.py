"""Pages are live by few files, whichever storage names and serves those."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import Open
from tests.acceptance.todo import ListPage, Template, Todo
from tools.bundle import BUNDLE, read
from tools.demo_server import DemoServer, manage

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(180),  # collecting, and a database for the first
    pytest.mark.asyncio(loop_scope="session"),
]

SETTINGS = "tests.acceptance.static_settings"
OURS = re.compile(r"/static/((?:realtime|invalidation)/.*)")
HASHED = re.compile(r"realtime/live\.bundle\.[0-9a-f]{12}\.js")

LOADED = "() => performance.getEntriesByType('resource').map(({ name }) => name)"
IMPORT_MAP = "document.querySelector('script[type=importmap]').textContent"
# What a page imports by each name of the map is what the page runs already.
SHARED = """async (names) => {
  const modules = await Promise.all(names.map((name) => import(name)));
  const [{ connect, LiveRegion }] = modules;
  const { url } = JSON.parse(document.getElementById("live-head").textContent);
  return {
    isOne: modules.every((module) => module === modules[0]),
    isRegion: document.querySelector("live-region") instanceof LiveRegion,
    state: connect(url).state,
  };
}"""


@pytest.fixture
def static_root(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Where one of the storages has collected the demo's files."""
    root = tmp_path / "static"
    monkeypatch.setenv("STATIC_ROOT", str(root))
    monkeypatch.setenv("STATICFILES_BACKEND", request.param)
    # Extensions of htmx name a type in a comment, which an aggregating storage takes for an import.
    options = ("--noinput", "--settings", SETTINGS, "--ignore", "hx-*-2.js")
    manage(tmp_path / "none.sqlite3", "collectstatic", *options)
    return root


@pytest.fixture
def server(
    tmp_path: Path, template: Template, request: pytest.FixtureRequest
) -> Iterator[DemoServer]:
    """A demo that serves the collected files; without any, one in development."""
    collected = "static_root" in request.fixturenames
    if collected:
        request.getfixturevalue("static_root")
    assert isinstance(template.database, Path)
    options = {"settings": SETTINGS} if collected else {}
    with DemoServer.prepared(tmp_path, template=template.database, **options) as server:
        yield server


@pytest.mark.long
@pytest.mark.parametrize(
    "static_root",
    [
        "django.contrib.staticfiles.storage.ManifestStaticFilesStorage",
        "tests.acceptance.static_storages.AggregatingStorage",
        "whitenoise.storage.CompressedManifestStaticFilesStorage",
    ],
    indirect=True,
)
async def test_a_page_with_hashed_files_is_live(
    static_root: Path, open_as: Open, todo: Todo, server: DemoServer
) -> None:
    """The script, and what the import map leads to, is the file that the storage has named."""
    ada = ListPage(await open_as("ada", todo.home_path))
    await asyncio.to_thread(server.shell, "Task.objects.filter(title='Call Alan').delete()")
    await ada.task("Call Alan").is_gone()

    imports = json.loads(await ada.page.evaluate(IMPORT_MAP))["imports"]
    loaded = OURS.findall("\n".join(await ada.page.evaluate(LOADED)))
    shared = await ada.page.evaluate(SHARED, [*imports, *imports.values()])

    assert len(loaded) == 1
    assert HASHED.fullmatch(loaded[0])
    assert (static_root / loaded[0]).read_text() == BUNDLE.read_text()
    assert shared == {"isOne": True, "isRegion": True, "state": "live"}


async def test_a_page_in_development_loads_few_files_of_ours(open_as: Open, todo: Todo) -> None:
    """One path for all: it is the bundle here, too, and imports share what the regions have."""
    page = await open_as("ada", todo.home_path)

    imports = json.loads(await page.evaluate(IMPORT_MAP))["imports"]
    shared = await page.evaluate(SHARED, [*imports, *imports.values()])
    loaded = OURS.findall("\n".join(await page.evaluate(LOADED)))

    assert shared == {"isOne": True, "isRegion": True, "state": "live"}
    assert loaded == ["realtime/live.bundle.js"]


async def test_no_name_of_the_bundle_hides_one_of_the_browser(open_as: Open, todo: Todo) -> None:
    """In one file a module's own `fetch` would be that of all others."""
    page = await open_as("ada", todo.home_path)

    names = sorted(read(BUNDLE).names)
    hidden = await page.evaluate("(names) => names.filter((name) => name in globalThis)", names)

    assert {"Live", "LiveRegion", "connect"} < set(names)
    assert hidden == []
