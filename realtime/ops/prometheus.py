"""Export this process's metrics to Prometheus; needs prometheus-client (the extra `metrics`).

    METRICS (metrics.py) -> RealtimeCollector -> the default registry -> view()

The collector has no state: at each scrape it reads counts that are kept anyway.
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
    """Collects the metrics of this process; it has no state, and costs nothing between scrapes."""

    def collect(self) -> Iterable[Metric]:
        """Yield each metric with its present values."""
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
        """Yield each metric without values: the registry checks for duplicate names."""
        return [_family(metric) for metric in metrics.METRICS]


def _family(metric: metrics.Metric) -> CounterMetricFamily | GaugeMetricFamily:
    labels = [metric.label] if metric.label else []
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    return kind(metric.name, metric.help, labels=labels)


_collector = RealtimeCollector()
_registered = False


def register() -> None:
    """Add the collector to the default registry, once a process."""
    global _registered  # noqa: PLW0603 -- one registry a process, filled as the apps get ready
    if not _registered:
        REGISTRY.register(_collector)
        _registered = True


def view(request: HttpRequest) -> HttpResponse:
    """Return all metrics of the default registry, in the format that the request accepts.

    The project mounts and protects it: `path("metrics/", realtime.ops.prometheus.view)`. The
    project's own metrics are included.
    """
    encode, kind = choose_encoder(request.headers.get("Accept", ""))
    response = HttpResponse(encode(REGISTRY), content_type=kind)
    response.headers["Cache-Control"] = "no-store"
    return response
