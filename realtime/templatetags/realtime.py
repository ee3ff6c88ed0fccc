"""`{% load realtime %}`: the head of a live page."""

from __future__ import annotations

import json

from django import template
from django.core.exceptions import SynchronousOnlyOperation
from django.http import HttpRequest
from django.template.context import Context
from django.urls import get_script_prefix
from django.utils.html import format_html, format_html_join, json_script
from django.utils.safestring import SafeString, mark_safe

from realtime.access.tickets import owner_of, sign
from realtime.conf import conf
from realtime.pages.scripts import bundle_url, import_map
from realtime.pages.watch import Watched, watched
from realtime.protocol import WEBSOCKET_PATH

register = template.Library()


@register.simple_tag(takes_context=True)
def live_head(context: Context) -> SafeString:
    """Print the script, and the topics, cursors and tickets of the view's `watch()` calls.

    Put it into `<head>`. It needs the request in the template's context, as `render()` with the
    request context processor gives.
    """
    request = context.get("request")
    if not isinstance(request, HttpRequest):
        raise template.TemplateSyntaxError(
            "live_head expected `request` in the template's context, got"
            f" {request!r}: render with a request, and list"
            " 'django.template.context_processors.request' in TEMPLATES"
        )
    nonce = getattr(request, "csp_nonce", None)
    attributes = format_html_join("", ' {}="{}"', [("nonce", str(nonce))] if nonce else [])
    imports = json.dumps(import_map()).replace("<", "\\u003c")
    # The map comes first: some browsers ignore one once a module is loading. The preload gives the
    # script a higher priority than browsers give to module scripts.
    return format_html(
        '{}\n<script type="importmap"{attributes}>{}</script>\n'
        '<link rel="modulepreload" href="{url}"{attributes}>\n'
        '<script type="module" src="{url}"{attributes}></script>',
        json_script(_head(request), "live-head"),
        mark_safe(imports),  # noqa: S308 -- JSON with "<" escaped, nothing from a request
        url=bundle_url(),
        attributes=attributes,
    )


def _head(request: HttpRequest) -> dict[str, object]:
    found = watched(request)
    return {
        "url": f"{get_script_prefix()}{WEBSOCKET_PATH}",
        "topics": _topics(request, found) if found else [],
        "jitter": round(conf.RESET_JITTER * 1000),
    }


def _topics(request: HttpRequest, found: Watched) -> list[dict[str, str]]:
    """Return each topic with its cursor, and with a ticket, since the view may show it."""
    try:
        user, session = owner_of(request)
    except SynchronousOnlyOperation:
        # An async view whose user was not awaited, as `awatch()` does. Its topics need rules.
        return [{"topic": topic, "cursor": str(found.cursor)} for topic in found.topics]
    return [
        {"topic": topic, "cursor": str(found.cursor), "ticket": sign(topic, user, session)}
        for topic in found.topics
    ]
