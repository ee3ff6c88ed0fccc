"""Pages as in a project: each watches its topics, then reads their rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, JsonResponse
from django.template import engines
from django.utils.html import json_script

from realtime import watch
from tests.convergence.board.topics import Row, may_see, rows_of

PAGE = "{% load realtime %}<!doctype html><head>{% live_head %}</head>{{ rows }}"

REGIONS = """{% load realtime %}<!doctype html><head>{% live_head %}</head><body>
{% for topics, lists in regions %}
<live-region id="region-{{ forloop.counter }}" topic="{{ topics }}"
  {% if forloop.last %}jitter="1000"{% endif %}>
{% for topic, rows in lists %}<ul id="{{ topic }}" data-topic="{{ topic }}">
{% for pk, row in rows %}<li id="{{ topic }}-{{ pk }}" data-pk="{{ pk }}">{{ row }}</li>
{% endfor %}</ul>
{% endfor %}</live-region>
{% endfor %}</body>"""


def regions(request: HttpRequest) -> HttpResponse:
    """Show regions: each `region` of the query names the topics of one, with all their rows.

    The last region spreads its refetches over a second.
    """
    named = request.GET.getlist("region")
    shown = _shown(request, " ".join(named).split())
    parts = [(names, [(topic, _lines(shown[topic])) for topic in names.split()]) for names in named]
    template = engines["django"].from_string(REGIONS)
    return HttpResponse(template.render({"regions": parts}, request))


def _lines(found: Mapping[str, Row]) -> list[tuple[str, str]]:
    return [(pk, json.dumps(row)) for pk, row in found.items()]


def page(request: HttpRequest) -> HttpResponse:
    """Return a page for a script: the rows of the query's topics, and their cursors."""
    shown = _shown(request, request.GET.getlist("topic"))
    template = engines["django"].from_string(PAGE)
    return HttpResponse(template.render({"rows": json_script(shown, "rows")}, request))


def rows(request: HttpRequest) -> HttpResponse:
    """Return rows of one topic: all, or those of the query's keys."""
    topic, pks = request.GET["topic"], request.GET.get("pks")
    if not may_see(request.user, topic):
        return HttpResponseForbidden()
    return JsonResponse(rows_of(topic, None if pks is None else pks.split(",")))


def up(request: HttpRequest) -> HttpResponse:
    """Answer that this process serves, without the database."""
    return HttpResponse("up")


def _shown(request: HttpRequest, topics: Sequence[str]) -> dict[str, dict[str, Row]]:
    """Watch topics, then read their rows; a topic that the user may not see has no rows.

    Such a topic is not watched.
    """
    seen = [topic for topic in topics if may_see(request.user, topic)]
    for topic in seen:
        watch(request, *topic.split(":"))
    return {topic: rows_of(topic) if topic in seen else {} for topic in topics}
