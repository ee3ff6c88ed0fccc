"""All metrics: name, meaning and value; independent of any Prometheus library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from realtime.backends.outbox.process import relay_status
from realtime.backends.outbox.stats import RelayStatus
from realtime.backends.outbox.stats import metrics as outbox
from realtime.connections.connection import Connection
from realtime.server import all_servers
from realtime.telemetry import counters

Kind = Literal["counter", "gauge"]
Value = float | Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `read()` returns a number; or, with a `label`, a number for each label value.

    Counters only increase, and start at 0 with the process; their names end in `_total`.
    """

    name: str
    help: str
    read: Callable[[], Value]
    kind: Kind = "gauge"
    label: str = ""


def _connections() -> Iterator[Connection]:
    return (each for server in all_servers() for each in server.connections)


def _by_transport() -> Counter[str]:
    return Counter(each.transport.name for each in _connections())


def _by_code(counted: Mapping[int, int]) -> dict[str, float]:
    return {str(int(code)): count for code, count in dict(counted).items()}


def _held_back() -> int:
    return sum(bool(each.transport.facts().get("held_back")) for each in _connections())


def _waiting_rows() -> int:
    return sum(each.mailbox.rows for each in _connections())


def _answers() -> dict[str, float]:
    return {name: counters.answers[name] for name in ("yes", "no", "failed")}


def _relay(read: Callable[[RelayStatus], float]) -> Callable[[], float]:
    def found() -> float:
        status = relay_status()
        return 0.0 if status is None else read(status)

    return found


METRICS: tuple[Metric, ...] = (
    # Clients.
    Metric("realtime_connections", "Connected clients.", _by_transport, label="transport"),
    Metric(
        "realtime_connections_opened_total",
        "Connections that were accepted.",
        lambda: dict(counters.opened),
        "counter",
        "transport",
    ),
    Metric(
        "realtime_connections_refused_total",
        "Connections that were refused, by close code.",
        lambda: _by_code(counters.refused),
        "counter",
        "code",
    ),
    Metric(
        "realtime_connections_closed_total",
        "Connections that the server closed or refused, by close code.",
        lambda: _by_code(counters.closed),
        "counter",
        "code",
    ),
    Metric(
        "realtime_connections_held_back",
        "Connections to which no messages are sent until the client confirms earlier ones.",
        _held_back,
    ),
    Metric("realtime_waiting_rows", "Rows that wait in the mailboxes of clients.", _waiting_rows),
    Metric(
        "realtime_draining",
        "1 while this process refuses new connections and closes the existing ones.",
        lambda: any(each.connections.draining for each in all_servers()),
    ),
    # Topics and messages.
    Metric(
        "realtime_topics",
        "Topics with subscribers.",
        lambda: sum(each.hub.topic_count() for each in all_servers()),
    ),
    Metric(
        "realtime_subscriptions",
        "Subscriptions: each topic of each client counts.",
        lambda: sum(width for each in all_servers() for _, width in each.hub.audiences()),
    ),
    Metric(
        "realtime_messages_received_total",
        "Messages received from the backend.",
        lambda: counters.received,
        "counter",
    ),
    Metric(
        "realtime_fan_outs_total",
        "Messages sent on to subscribers here; those that arrived together are merged.",
        lambda: counters.fan_outs,
        "counter",
    ),
    Metric(
        "realtime_messages_delivered_total",
        "Mailboxes into which messages were put.",
        lambda: counters.delivered,
        "counter",
    ),
    Metric(
        "realtime_frames_sent_total",
        "Frames passed to the web server.",
        lambda: counters.frames,
        "counter",
    ),
    Metric(
        "realtime_characters_sent_total",
        "Characters in these frames.",
        lambda: counters.characters,
        "counter",
    ),
    Metric(
        "realtime_resets_total",
        "Resets sent to clients, by reason.",
        lambda: dict(counters.resets),
        "counter",
        "reason",
    ),
    # Rules.
    Metric(
        "realtime_rules_total",
        "Answers of rules, when clients subscribed or were authorised again.",
        _answers,
        "counter",
        "answer",
    ),
    Metric(
        "realtime_rules_late_total",
        "Topics for which a rule, or its `depends`, took longer than RULE_TIMEOUT.",
        lambda: counters.answers["late"],
        "counter",
    ),
    Metric(
        "realtime_denied_total",
        "Topics to which rules denied a subscription.",
        lambda: counters.denied,
        "counter",
    ),
    Metric(
        "realtime_revoked_total",
        "Topics whose subscription was revoked.",
        lambda: counters.revoked,
        "counter",
    ),
    # The backend.
    Metric(
        "realtime_hub_connected",
        "1 while this process receives messages from the backend.",
        lambda: any(each.hub.is_connected for each in all_servers()),
    ),
    Metric(
        "realtime_hub_lost_total",
        "Times that the backend was lost, so that clients were reset.",
        lambda: counters.lost,
        "counter",
    ),
    Metric(
        "realtime_relay_queue",
        "Records committed here that are not sent yet.",
        _relay(lambda status: status.queued),
    ),
    Metric(
        "realtime_relay_lag_seconds",
        "Seconds for which the oldest of these records has waited.",
        _relay(lambda status: status.lag),
    ),
    Metric(
        "realtime_relay_away",
        "1 while the backend, or a part of it, accepts no messages.",
        _relay(lambda status: status.away),
    ),
    Metric(
        "realtime_relay_sent_total",
        "Records that the backend accepted.",
        lambda: outbox.sent,
        "counter",
    ),
    Metric(
        "realtime_relay_swept_total",
        "Accepted records that a sweep found, mostly left by another process.",
        lambda: outbox.swept,
        "counter",
    ),
    Metric(
        "realtime_relay_failed_total",
        "Attempts to send that the backend did not accept.",
        lambda: outbox.failed,
        "counter",
    ),
    Metric(
        "realtime_relay_spilled_total",
        "Records left in the table, since the queue (OUTBOX_QUEUE) was full.",
        lambda: outbox.spilled,
        "counter",
    ),
    Metric(
        "realtime_relay_reset_total",
        "Records without a row that became resets of their families, since the queue was full.",
        lambda: outbox.reset,
        "counter",
    ),
    Metric(
        "realtime_relay_refused_total",
        "Messages that the backend will never accept, and that became resets of their topics.",
        lambda: outbox.refused,
        "counter",
    ),
)
"""All of them. docs/reference/metrics.md explains each."""
