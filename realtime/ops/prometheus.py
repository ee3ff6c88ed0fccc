"""The metrics of this process for Prometheus; needs prometheus-client (the extra `metrics`).

    METRICS (metrics.py) -> RealtimeCollector -> the default registry -> view()

The collector keeps nothing: it reads what is counted anyway, when the registry is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.http import HttpRequest, HttpResponse
from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from realtime.ops import metrics


class RealtimeCollector(Collector):
    """Reads all metrics of this process. It keeps nothing, so a scrape costs only itself."""

    def collect(self) -> Iterable[Metric]:
        """Give each metric with what it is now."""
        for metric in metrics.METRICS:
            family = _family(metric)
            value = metric.read()
            if isinstance(value, Mapping):
                for label, number in sorted(value.items()):
                    family.add_metric([label], float(number))
            else:
                family.add_metric([], float(value))
            yield family

    def describe(self) -> Iterable[Metric]:
        """Give each metric by name alone: the registry looks for names that are there already."""
        return [_family(metric) for metric in metrics.METRICS]


def _family(metric: metrics.Metric) -> CounterMetricFamily | GaugeMetricFamily:
    labels = [metric.label] if metric.label else []
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    return kind(metric.name, metric.help, labels=labels)


_collector = RealtimeCollector()
_registered = False


def register() -> None:
    """Register with the default registry, once a process."""
    global _registered  # noqa: PLW0603 -- one registry a process, filled as the apps get ready
    if not _registered:
        REGISTRY.register(_collector)
        _registered = True


def view(request: HttpRequest) -> HttpResponse:
    """Answer with all metrics of the default registry, in the format that the request asks for.

    For a project to mount, and to protect: `path("metrics/", realtime.ops.prometheus.view)`. The
    project's own metrics are among them.
    """
    encode, kind = choose_encoder(request.headers.get("Accept", ""))
    response = HttpResponse(encode(REGISTRY), content_type=kind)
    response.headers["Cache-Control"] = "no-store"
    return response
