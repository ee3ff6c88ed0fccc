"""Render the head of a live page: the JSON `live-head`, the import map and the scripts.

Other packages add entries to HEAD, and files to `realtime.pages.scripts`.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from django.core.exceptions import SynchronousOnlyOperation
from django.http import HttpRequest
from django.urls import get_script_prefix
from django.utils.html import format_html, format_html_join, json_script
from django.utils.safestring import SafeString, mark_safe

from realtime.access.tickets import owner_of, sign
from realtime.conf import conf
from realtime.pages.scripts import import_map, script_urls
from realtime.pages.watch import Watched, watched
from realtime.protocol import WEBSOCKET_PATH
from realtime.registry import Registry

HEAD: Registry[Callable[[HttpRequest], object]] = Registry("entry of live-head")
"""Entry of the JSON `live-head` -> function that returns its value; None leaves it out.

It is called while the template renders, after the view: in an async view it must not query.
"""


def render_head(request: HttpRequest) -> SafeString:
    """Return the HTML for a page's head."""
    nonce = getattr(request, "csp_nonce", None)
    attributes = format_html_join("", ' {}="{}"', [("nonce", str(nonce))] if nonce else [])
    imports = json.dumps(import_map()).replace("<", "\\u003c")
    files = [(url, attributes) for url in script_urls()]
    # The map comes first: some browsers ignore it once a module is loading. The preload gives the
    # script a higher priority than that of module scripts.
    return format_html(
        '{}\n<script type="importmap"{}>{}</script>\n{}\n{}',
        json_script(head_of(request), "live-head"),
        attributes,
        mark_safe(imports),  # noqa: S308 -- JSON with "<" escaped, nothing from a request
        format_html_join("\n", '<link rel="modulepreload" href="{}"{}>', files),
        format_html_join("\n", '<script type="module" src="{}"{}></script>', files),
    )


def head_of(request: HttpRequest) -> dict[str, object]:
    """Return the entries of the JSON `live-head`."""
    entries = {name: entry(request) for name, entry in HEAD.items()}
    return {name: value for name, value in entries.items() if value is not None}


@HEAD.register("url")
def _url(request: HttpRequest) -> str:
    return f"{get_script_prefix()}{WEBSOCKET_PATH}"


@HEAD.register("topics")
def _topics(request: HttpRequest) -> list[dict[str, str]]:
    found = watched(request)
    return _with_tickets(request, found) if found else []


@HEAD.register("jitter")
def _jitter(request: HttpRequest) -> int:
    seconds: float = conf.RESET_JITTER
    return round(seconds * 1000)


def _with_tickets(request: HttpRequest, found: Watched) -> list[dict[str, str]]:
    """Return each topic with its cursor and a ticket, since the view has shown its data."""
    try:
        user, session = owner_of(request)
    except SynchronousOnlyOperation:
        # An async view that called `watch()`, not `awatch()`, which loads the user. Without
        # tickets its topics need rules.
        return [{"topic": topic, "cursor": str(found.cursor)} for topic in found.topics]
    return [
        {"topic": topic, "cursor": str(found.cursor), "ticket": sign(topic, user, session)}
        for topic in found.topics
    ]
