"""The registries of `realtime`, to which other packages add."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import pytest_asyncio
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template import Context, Template
from django.test import RequestFactory

import realtime
import realtime.templatetags.realtime  # its tag is registered before a test looks at them
from realtime.backends.memory import MemoryPubSub
from realtime.exceptions import AlreadyRegistered
from realtime.management.commands.realtime_status import _lines
from realtime.middleware import LiveResponses
from realtime.ops.log_level import LOGGERS, set_level_here
from realtime.ops.report import look
from realtime.ops.sections import SECTIONS
from realtime.pages.head import HEAD
from realtime.pages.responses import AROUND, Finish
from realtime.pages.scripts import IMPORTS, SCRIPTS
from realtime.pages.tags import library
from realtime.registry import Registry
from realtime.server import Server
from tests.realtime.ops.serving import serving_here

PATIENCE = 30.0
REGISTRIES: dict[str, Registry[Any]] = {
    "around": AROUND,
    "head": HEAD,
    "imports": IMPORTS,
    "loggers": LOGGERS,
    "scripts": SCRIPTS,
    "sections": SECTIONS,
    "tags": library.tags,  # type: ignore[dict-item]
    "filters": library.filters,  # type: ignore[dict-item]
}


@pytest.fixture(autouse=True)
def registries() -> Iterator[None]:
    """Remove the entries of the test at its end."""
    before = {name: dict(registry) for name, registry in REGISTRIES.items()}
    yield
    for name, registry in REGISTRIES.items():
        registry.clear()
        registry.update(before[name])


@pytest.fixture
def request_(rf: RequestFactory) -> HttpRequest:
    return rf.get("/")


def rendered(request: HttpRequest, template: str = "{% live_head %}") -> str:
    return Template("{% load realtime %}" + template).render(Context({"request": request}))


@pytest.mark.parametrize("name", REGISTRIES)
def test_a_name_is_taken_once(name: str) -> None:
    """The same entry may be added again; another raises, and changes nothing."""
    registry, entry = REGISTRIES[name], object()
    registry["shop"] = entry
    registry["shop"] = entry

    with pytest.raises(AlreadyRegistered, match="'shop'"):
        registry["shop"] = object()

    assert registry["shop"] is entry


def test_an_entry_stands_in_the_head(request_: HttpRequest) -> None:
    """With those of this package; an entry of None is left out."""
    HEAD["view"] = lambda request: {"ticket": request.path}
    HEAD["nothing"] = lambda request: None

    found = re.search(r'<script id="live-head"[^>]*>(.*?)</script>', rendered(request_))

    assert found is not None
    head = json.loads(found[1])
    assert set(head) == {"url", "topics", "jitter", "view"}
    assert head["view"] == {"ticket": "/"}


def test_a_file_is_loaded_and_imported_by_its_name(request_: HttpRequest) -> None:
    """After the import map and this package's own scripts."""
    SCRIPTS["shop"] = "shop/views.js"
    IMPORTS["shop/deltas.js"] = "shop/views.js"

    html = rendered(request_)

    assert '"shop/deltas.js": "/static/shop/views.js"' in html
    assert '"/static/shop/deltas.js": "/static/shop/views.js"' in html
    loaded = re.findall(r'<script type="module" src="(.*?)"', html)
    assert loaded == ["/static/realtime/live.bundle.js", "/static/shop/views.js"]
    assert re.findall(r'<link rel="modulepreload" href="(.*?)"', html) == loaded
    assert html.index("importmap") < html.index("modulepreload")


def test_a_tag_is_loaded_with_realtime(request_: HttpRequest) -> None:
    """As a project knows one library alone."""

    @library.simple_tag
    def shout(text: str) -> str:
        return text.upper()

    assert rendered(request_, "{% shout 'live' %}") == "LIVE"


class Recording:
    """Records its begin, the response that it receives, and its end."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def named(self, name: str) -> Any:
        @contextmanager
        def around(request: HttpRequest) -> Iterator[Finish]:
            self.seen.append(f"{name} begins")

            def finish(response: HttpResponseBase) -> None:
                self.seen.append(f"{name} finishes")
                response.headers[name] = "here"

            try:
                yield finish
            finally:
                self.seen.append(f"{name} ends")

        return around


AROUND_ONE_VIEW = [
    *("one begins", "two begins", "view"),
    *("two finishes", "one finishes", "two ends", "one ends"),
]


def test_contexts_are_around_the_view(request_: HttpRequest) -> None:
    """The last registered is the innermost; each is handed the response."""
    recording = Recording()
    AROUND["one"], AROUND["two"] = recording.named("one"), recording.named("two")

    def view(request: HttpRequest) -> HttpResponse:
        recording.seen.append("view")
        return HttpResponse()

    response = LiveResponses(view)(request_)

    assert recording.seen == AROUND_ONE_VIEW
    assert isinstance(response, HttpResponseBase)
    assert {"one", "two"} <= set(response.headers)


async def test_contexts_are_around_an_async_view(request_: HttpRequest) -> None:
    """They are as well left when the request is cancelled."""
    recording = Recording()
    AROUND["one"] = recording.named("one")
    reached = asyncio.Event()

    async def view(request: HttpRequest) -> HttpResponse:
        reached.set()
        await asyncio.Event().wait()
        return HttpResponse()

    answering = LiveResponses(view)(request_)
    assert not isinstance(answering, HttpResponseBase)
    task = asyncio.ensure_future(answering)
    await asyncio.wait_for(reached.wait(), PATIENCE)
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert recording.seen == ["one begins", "one ends"]


@pytest_asyncio.fixture
async def serving(transactional_db: None) -> AsyncIterator[None]:
    async with serving_here():
        yield


def _orders(server: Server) -> Mapping[str, object]:
    return {"open": 3, "late": 1}


def _broken(server: Server) -> Mapping[str, object]:
    raise RuntimeError("no idea")


async def test_a_section_stands_in_the_report(serving: None) -> None:
    """For each process; one that fails says so, and harms no other."""
    SECTIONS["orders"], SECTIONS["broken"] = _orders, _broken

    with mock.patch("realtime.ops.sections.logger"):
        report = await look(PATIENCE)

    assert report.processes is not None
    (answer,) = report.processes
    assert answer.process.sections == {
        "orders": {"open": 3, "late": 1},
        "broken": {"error": "RuntimeError: no idea"},
    }
    assert f"orders     {answer.process.process}: open 3, late 1" in list(_lines(report))


async def test_a_logger_can_be_set(pubsub: MemoryPubSub) -> None:
    """With those below it; one that no package has offered cannot."""
    server = Server(pubsub)
    with pytest.raises(ValueError, match="one of our loggers"):
        set_level_here(server, "DEBUG", "shop.orders")
    LOGGERS["shop"] = "orders"

    set_level_here(server, "DEBUG", "shop.orders", minutes=0.0)

    assert logging.getLogger("shop.orders").level == logging.DEBUG
    async with asyncio.timeout(PATIENCE):
        while logging.getLogger("shop.orders").level:
            await asyncio.sleep(0)


def test_realtime_names_no_package_that_uses_it() -> None:
    """Neither in code nor in prose: the registries serve any package."""
    files = [path for path in Path(realtime.__path__[0]).rglob("*") if path.suffix in TEXT]

    assert len(files) > 100
    assert [path.name for path in files if "invalidation" in path.read_text().lower()] == []


TEXT = {".py", ".js", ".ts", ".lua", ".html"}
