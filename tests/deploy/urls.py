"""The board's pages, live data over HTTP, and what a request looks like when it arrives."""

from django.http import HttpRequest, JsonResponse
from django.urls import include, path

from tests.convergence.board.urls import urlpatterns as pages


def arrived(request: HttpRequest) -> JsonResponse:
    """Return what of the request depends on the proxy."""
    names = ("Connection", "Host", "Upgrade", "X-Forwarded-For", "X-Forwarded-Host")
    headers = {name: request.headers[name] for name in names if name in request.headers}
    return JsonResponse({"url": request.build_absolute_uri(), "headers": headers})


urlpatterns = [*pages, path("live/", include("realtime.urls")), path("arrived/", arrived)]
