"""The parameters of a request over HTTP: topics, tickets, cursors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, QueryDict

from realtime.conf import conf
from realtime.connections.subscribe import MOST_CURSORS, AskedFor
from realtime.exceptions import InvalidCursor
from realtime.messages.cursors import NOWHERE, Cursor
from realtime.transports.errors import Refused

MOST_TRIED = 5_000
"""Tickets times topics: each ticket is tried for each topic, which takes some microseconds."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Topics, each once, and the tickets and cursors for all of them."""

    topics: Sequence[str]
    tickets: Sequence[str]
    cursors: Sequence[str]
    wait: float

    def wanted(self) -> dict[str, AskedFor]:
        """Return the parameters by topic."""
        return {text: AskedFor(list(self.cursors), list(self.tickets)) for text in self.topics}

    @property
    def since(self) -> str:
        """The request's cursor if it sent exactly one, else NOWHERE."""
        try:
            (text,) = self.cursors
            return str(Cursor.parse(text))
        except (ValueError, InvalidCursor):
            return str(NOWHERE)


def read(request: HttpRequest) -> Parameters:
    """Return a request's parameters; raise Refused for invalid ones."""
    query = _query(request)
    topics = list(dict.fromkeys(query.getlist("topic")))
    if not topics:
        raise Refused(400, "no-topic", "expected ?topic=…, once for each topic, got none")
    tickets = list(dict.fromkeys(query.getlist("ticket")))
    if len(tickets) * len(topics) > MOST_TRIED:
        message = f"expected {MOST_TRIED} topics times tickets at most: send several requests"
        raise Refused(429, "too-many", message)
    return Parameters(topics, tickets, _cursors(request, query), _wait(query))


def _query(request: HttpRequest) -> QueryDict:
    try:
        return request.GET
    except SuspiciousOperation as error:  # more fields than the project allows
        raise Refused(400, "bad-query", str(error)) from error


def _cursors(request: HttpRequest, query: QueryDict) -> Sequence[str]:
    """Return the cursors. Last-Event-ID of a browser that reconnects is the newest, and wins."""
    last = request.headers.get("Last-Event-ID")
    if last is not None:
        return [last]
    found = list(dict.fromkeys([*query.getlist("since"), *query.getlist("cursor")]))
    return found if len(found) <= MOST_CURSORS else [str(NOWHERE)]


def _wait(query: QueryDict) -> float:
    text = query.get("wait")
    if text is None:
        return float(conf.POLL_WAIT)
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not seconds >= 0:  # NaN too
        raise Refused(400, "bad-wait", f"expected wait=SECONDS, 0 or more, got {text!r:.80}")
    return min(seconds, float(conf.POLL_WAIT))
