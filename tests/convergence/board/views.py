"""Pages as a project would have them: they watch, then they read."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, JsonResponse
from django.template import engines
from django.utils.html import json_script

from realtime import watch
from tests.convergence.board.topics import may_see, rows_of

PAGE = "{% load realtime %}<!doctype html><head>{% live_head %}</head>{{ rows }}"


def page(request: HttpRequest) -> HttpResponse:
    """Show the topics that the query names, with all their rows, and where each stands.

    Of what the viewer may not see it shows that there is such a thing, and no row.
    """
    topics = request.GET.getlist("topic")
    seen = [topic for topic in topics if may_see(request.user, topic)]
    for topic in seen:
        watch(request, *topic.split(":"))
    rows = {topic: rows_of(topic) if topic in seen else {} for topic in topics}
    template = engines["django"].from_string(PAGE)
    return HttpResponse(template.render({"rows": json_script(rows, "rows")}, request))


def rows(request: HttpRequest) -> HttpResponse:
    """Return rows of one topic: all, or those of the keys that the query names."""
    topic, pks = request.GET["topic"], request.GET.get("pks")
    if not may_see(request.user, topic):
        return HttpResponseForbidden()
    return JsonResponse(rows_of(topic, None if pks is None else pks.split(",")))


def up(request: HttpRequest) -> HttpResponse:
    """Say that this process serves, whatever the database does."""
    return HttpResponse("up")
