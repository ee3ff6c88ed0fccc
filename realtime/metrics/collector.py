"""The metrics as prometheus-client wants them: read whenever somebody asks its registry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from realtime.metrics import readings


class RealtimeCollector(Collector):
    """Reads all metrics of this process. It keeps nothing, so a scrape costs only itself."""

    def collect(self) -> Iterable[Metric]:
        """Give each metric with what it is now."""
        for metric in readings.METRICS:
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
        return [_family(metric) for metric in readings.METRICS]


def _family(metric: readings.Metric) -> CounterMetricFamily | GaugeMetricFamily:
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
