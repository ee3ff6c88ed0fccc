"""Pages as a project would have them: they watch, then they read."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import engines
from django.utils.html import json_script

from realtime import watch
from tests.convergence.board.topics import rows_of

PAGE = "{% load realtime %}<!doctype html><head>{% live_head %}</head>{{ rows }}"


def page(request: HttpRequest) -> HttpResponse:
    """Show the topics that the query names, with all their rows, and where each stands."""
    topics = request.GET.getlist("topic")
    for topic in topics:
        watch(request, *topic.split(":"))
    rows = {topic: rows_of(topic) for topic in topics}
    template = engines["django"].from_string(PAGE)
    return HttpResponse(template.render({"rows": json_script(rows, "rows")}, request))


def rows(request: HttpRequest) -> JsonResponse:
    """Return rows of one topic: all, or those of the keys that the query names."""
    pks = request.GET.get("pks")
    return JsonResponse(rows_of(request.GET["topic"], None if pks is None else pks.split(",")))


def up(request: HttpRequest) -> HttpResponse:
    """Say that this process serves, whatever the database does."""
    return HttpResponse("up")
