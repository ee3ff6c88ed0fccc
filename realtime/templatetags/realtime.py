"""`{% load realtime %}`: the head of a live page, and the tags of other packages."""

from __future__ import annotations

from django.http import HttpRequest
from django.template import TemplateSyntaxError
from django.template.context import Context
from django.utils.safestring import SafeString

from realtime.pages.head import render_head
from realtime.pages.tags import library

register = library


@register.simple_tag(takes_context=True)
def live_head(context: Context) -> SafeString:
    """Print the script, and the topics, cursors and tickets of the view's `watch()` calls.

    Put it into `<head>`. It needs the request in the template's context, as `render()` with the
    request context processor gives.
    """
    request = context.get("request")
    if not isinstance(request, HttpRequest):
        raise TemplateSyntaxError(
            "live_head expected `request` in the template's context, got"
            f" {request!r}: render with a request, and list"
            " 'django.template.context_processors.request' in TEMPLATES"
        )
    return render_head(request)
