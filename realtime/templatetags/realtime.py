"""`{% load realtime %}`: what a live page carries in its head."""

from __future__ import annotations

import json

from django import template
from django.http import HttpRequest
from django.template.context import Context
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join, json_script
from django.utils.safestring import SafeString, mark_safe

from realtime.routing import WEBSOCKET_PATH
from realtime.watching import watched

register = template.Library()

ENTRY = "realtime/live.js"


@register.simple_tag(takes_context=True)
def live_head(context: Context) -> SafeString:
    """Print the script, and the topics and cursors of what the view watched.

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
    imports = json.dumps({"imports": {ENTRY: static(ENTRY)}}).replace("<", "\\u003c")
    return format_html(
        '{}\n<script type="importmap"{}>{}</script>\n<script type="module" src="{}"{}></script>',
        json_script(_head(request), "live-head"),
        attributes,
        mark_safe(imports),  # noqa: S308 -- JSON with "<" escaped, nothing from a request
        static(ENTRY),
        attributes,
    )


def _head(request: HttpRequest) -> dict[str, object]:
    found = watched(request)
    cursor, topics = (str(found.cursor), list(found.topics)) if found else (None, [])
    return {
        "url": f"/{WEBSOCKET_PATH}",
        "topics": [{"topic": topic, "cursor": cursor} for topic in topics],
    }
