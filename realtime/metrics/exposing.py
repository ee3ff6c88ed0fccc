"""The metrics as an answer to a request."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder


def expose(request: HttpRequest) -> HttpResponse:
    """Answer in the format that the request asks for."""
    encode, kind = choose_encoder(request.headers.get("Accept", ""))
    response = HttpResponse(encode(REGISTRY), content_type=kind)
    response.headers["Cache-Control"] = "no-store"
    return response
