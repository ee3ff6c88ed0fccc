"""The head of a page: the position before its view read, and the topics that it shows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.core.exceptions import SynchronousOnlyOperation
from django.http import HttpRequest
from django.template import Context, Template, TemplateSyntaxError
from django.test import RequestFactory
from django.utils.functional import SimpleLazyObject

import realtime
from realtime import Message, awatch, watch
from realtime.access.identity import session_mark
from realtime.access.tickets import holds
from realtime.backends.memory import MemoryPubSub
from realtime.exceptions import InvalidTopic
from realtime.messages.topics import Topic
from realtime.pages.scripts import PUBLIC_MODULES
from realtime.pages.watch import watched

EVIL = "</script><script>alert(1)</script><!--"


@pytest.fixture(autouse=True)
def as_the_projects(pubsub: MemoryPubSub) -> Iterator[None]:
    with mock.patch("realtime.pages.watch.get_pubsub", return_value=pubsub):
        yield


@pytest.fixture
def request_(rf: RequestFactory) -> HttpRequest:
    return rf.get("/")


def rendered(request: HttpRequest) -> str:
    template = Template("{% load realtime %}{% live_head %}")
    return template.render(Context({"request": request}))


def head_of(html: str) -> dict[str, object]:
    found = re.search(r'<script id="live-head" type="application/json">(.*?)</script>', html)
    assert found, html
    return json.loads(found[1])  # type: ignore[no-any-return]


def imports_of(html: str) -> dict[str, str]:
    found = re.search(r'<script type="importmap">(.*?)</script>', html)
    assert found, html
    return json.loads(found[1])["imports"]  # type: ignore[no-any-return]


def test_a_page_names_its_topics_and_its_position(
    request_: HttpRequest, pubsub: MemoryPubSub
) -> None:
    """So its client receives all changes committed since."""
    topic = watch(request_, "list", 5)

    assert topic == Topic("list:5")
    head = head_of(rendered(request_))
    (shown,) = head.pop("topics")  # type: ignore[misc]
    assert head == {"url": "/ws/live/", "jitter": 1000}
    assert (shown["topic"], shown["cursor"]) == ("list:5", str(pubsub.position()))
    assert holds(shown["ticket"], "list:5", "", "")


def test_a_page_has_tickets_for_its_user_and_session(request_: HttpRequest) -> None:
    """The user may watch the topics that the view has shown."""
    request_.user = User(pk=7)
    request_.session = SessionStore("k" * 32)
    watch(request_, "list", 5)

    (shown,) = head_of(rendered(request_))["topics"]  # type: ignore[misc]

    mark = session_mark(request_.session)
    assert holds(shown["ticket"], "list:5", "7", mark)
    assert not holds(shown["ticket"], "list:5", "7", "")


async def test_an_async_view_has_tickets_too(request_: HttpRequest) -> None:
    """`awatch()` loads its user, since a template cannot."""
    asked = []

    async def auser() -> User:
        asked.append(True)
        request_._acached_user = User(pk=7)  # type: ignore[attr-defined]
        return request_._acached_user  # type: ignore[attr-defined]

    request_.auser = auser  # type: ignore[method-assign]
    await awatch(request_, "list", 5)

    (shown,) = head_of(rendered(request_))["topics"]  # type: ignore[misc]

    assert asked
    assert holds(shown["ticket"], "list:5", "7", "")


async def test_a_user_who_cannot_be_awaited_any_more_has_no_tickets(
    request_: HttpRequest, pubsub: MemoryPubSub
) -> None:
    """A page that needs rules is better than none."""

    def look() -> User:
        raise SynchronousOnlyOperation

    request_.user = SimpleLazyObject(look)
    with mock.patch("realtime.pages.watch._reads_the_past", return_value=False):
        watch(request_, "list", 5)

    assert head_of(rendered(request_))["topics"] == [
        {"topic": "list:5", "cursor": str(pubsub.position())}
    ]


def test_a_project_below_a_path_has_its_socket_there(request_: HttpRequest) -> None:
    """Like all of its URLs."""
    with mock.patch("realtime.pages.head.get_script_prefix", return_value="/shop/"):
        assert head_of(rendered(request_))["url"] == "/shop/ws/live/"


def test_the_position_is_that_before_the_first_read(
    request_: HttpRequest, pubsub: MemoryPubSub
) -> None:
    """For all topics of the page: an older one is safe, a newer one is not."""
    before = str(pubsub.position())
    watch(request_, "list", 5)
    pubsub.prepare([Message("list:6", reset="bulk")], "default")()

    watch(request_, "list", 6)
    watch(request_, "list", 5)

    shown: Any = head_of(rendered(request_))["topics"]
    assert [(each["topic"], each["cursor"]) for each in shown] == [
        ("list:5", before),
        ("list:6", before),
    ]


async def test_async_views_do_the_same(request_: HttpRequest, pubsub: MemoryPubSub) -> None:
    """By `awatch()`."""
    before = pubsub.position()
    await awatch(request_, "list", 5)
    pubsub.prepare([Message("list:6", reset="bulk")], "default")()
    await awatch(request_, "list", 6)

    found = watched(request_)
    assert found is not None
    assert (found.cursor, list(found.topics)) == (before, ["list:5", "list:6"])


async def test_a_family_cannot_be_watched(request_: HttpRequest) -> None:
    """It covers all topics of the family, those of other users too."""
    with pytest.raises(InvalidTopic, match="got none"):
        watch(request_, "list")
    with pytest.raises(InvalidTopic, match="got none"):
        await awatch(request_, "list")
    with pytest.raises(InvalidTopic):
        watch(request_, "list", None)

    assert watched(request_) is None


def test_a_page_that_watches_nothing_has_no_topics(request_: HttpRequest) -> None:
    """It may still contain regions that subscribe later."""
    assert head_of(rendered(request_))["topics"] == []


def test_the_script_is_mapped_preloaded_and_loaded(request_: HttpRequest) -> None:
    """The import map comes before the first module, or browsers ignore it."""
    html = rendered(request_)

    assert '<link rel="modulepreload" href="/static/realtime/live.bundle.js">' in html
    assert '<script type="module" src="/static/realtime/live.bundle.js"></script>' in html
    assert html.index("importmap") < html.index("modulepreload") < html.index('type="module"')


def test_every_public_module_is_the_one_file_that_the_page_loads(request_: HttpRequest) -> None:
    """By name and by URL: two copies of the client would open two connections."""
    imports = imports_of(rendered(request_))

    url = "/static/realtime/live.bundle.js"
    assert imports == {"realtime/live.js": url, "/static/realtime/live.js": url}


def test_every_module_that_the_documentation_imports_is_public() -> None:
    """A name that is not mapped cannot be imported."""
    root = Path(realtime.__file__).parent.parent
    pages = [root / "README.md", *root.glob("docs/**/*.md")]
    imported = {
        name
        for page in pages
        for name in re.findall(r'from "((?:realtime|invalidation)/[^"]+)"', page.read_text())
    }

    assert imported == set(PUBLIC_MODULES)


def test_a_storage_names_the_file(request_: HttpRequest) -> None:
    """Hashed, or with a query: the script and the map have the same URL."""
    with mock.patch("realtime.pages.scripts.static", lambda name: f"/s/{name}?1"):
        html = rendered(request_)

    url = "/s/realtime/live.bundle.js?1"
    assert imports_of(html) == {"realtime/live.js": url, "/s/realtime/live.js?1": url}
    assert html.count(f'="{url}"') == 2


def test_a_topic_cannot_break_out_of_its_script(request_: HttpRequest) -> None:
    """A key may be any text that a user typed."""
    watch(request_, "tag", EVIL)

    html = rendered(request_)

    assert EVIL not in html
    assert html.count("<script") == html.count("</script>") == 3
    assert head_of(html)["topics"][0]["topic"] == Topic.of("tag", EVIL)  # type: ignore[index]


def test_no_entry_of_the_head_can_break_out_of_its_script(request_: HttpRequest) -> None:
    """Entries of other packages may contain any text."""
    with mock.patch("realtime.pages.head.WEBSOCKET_PATH", EVIL):
        html = rendered(request_)

    assert EVIL not in html
    assert head_of(html)["url"] == f"/{EVIL}"


def test_an_url_of_static_files_cannot_break_out_of_its_script(request_: HttpRequest) -> None:
    """A project's storage may return any text."""
    with mock.patch("realtime.pages.scripts.static", lambda name: f"/{EVIL}/{name}"):
        html = rendered(request_)

    assert EVIL not in html
    assert html.count("<script") == html.count("</script>") == 3


def test_a_nonce_is_on_every_script_that_runs(request_: HttpRequest) -> None:
    """`django-csp` and similar packages set it on the request."""
    request_.csp_nonce = '"abc<'  # type: ignore[attr-defined]

    html = rendered(request_)

    assert html.count('nonce="&quot;abc&lt;"') == 3


@pytest.mark.parametrize("context", [{}, {"request": None}, {"request": "GET /"}])
def test_without_a_request_the_error_says_what_to_do(context: dict[str, object]) -> None:
    """It is the most likely mistake."""
    template = Template("{% load realtime %}{% live_head %}")

    with pytest.raises(TemplateSyntaxError, match="context_processors.request"):
        template.render(Context(context))
