"""What this process says of itself to Prometheus, where prometheus-client is installed.

Nothing here is called but when somebody looks: it reads what is counted anyway.

    METRICS (readings.py) -> collector.py -> the default registry -> view.py, or the project's own
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse


def view(request: HttpRequest) -> HttpResponse:
    """Answer with all metrics of the default registry, the project's own too.

    For a project to mount, and to protect: `path("metrics/", realtime.metrics.view)`. It needs
    prometheus-client.
    """
    # Not needed by who only counts, and optional.
    from realtime.metrics.exposing import expose  # noqa: PLC0415

    return expose(request)


def install() -> bool:
    """Register our metrics with the default registry; say whether that is possible."""
    try:
        import prometheus_client  # noqa: F401, PLC0415 -- optional
    except ImportError:
        return False
    from realtime.metrics.collector import register  # noqa: PLC0415

    register()
    return True
