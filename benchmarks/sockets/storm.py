"""A reconnect storm: all clients are dropped at once, and reconnect with their cursors.

Another part has a user for each client, and a rule that refuses some of them: the rule is asked
first, or behind their tickets.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.report import table
from benchmarks.sockets.messages import is_refused
from benchmarks.sockets.processes import allow_many_files
from benchmarks.sockets.size import Size
from benchmarks.sockets.stage import Stage
from benchmarks.sockets.turns import Record, client_cpu, median, on_each_server, turns
from benchmarks.sockets.verdicts import Verdict
from tools.redis_servers import RedisServer

WINDOW = 200
"""Clients that connect at a time."""

SPARE_FILES = 200
REDIS_IDLE_AFTER = 0.3
"""Seconds without a command after which Redis has all messages published."""

READS = ("eval", "fcall")
"""The beginnings of the names of commands that read. A script's own calls are counted apart."""

CATCH_UP_WITHIN = 10
"""Seconds within which all clients must have received what they missed."""

TUNED = "ours, collecting rarely"
COMPETITORS = on_each_server(("ours", TUNED))

ASKING = {"rule": "rules first", "tickets": "by tickets", "idle": "by tickets, ten clients"}
"""How the clients of the second table reconnect; each is a user with a topic of its own."""
ASKED = on_each_server(tuple(ASKING))
REFUSED_WITHIN = 1.0
"""Seconds within which a server that is idle revokes what a ticket opened and a rule refuses."""


def measure(size: Size) -> list[Record]:
    """Measure under both servers once, also with a garbage collector that runs more rarely."""
    clients = min(size.storm, allow_many_files() - SPARE_FILES)

    def turn(peer: str, server: str) -> Record:
        with Stage("ours", server, application="tuned" if peer == TUNED else "") as stage:
            assert stage.redis is not None
            joined = stage.open(clients, size.storm_topics, window=WINDOW)
            stage.client.do("drop")
            stage.publish(size.storm_topics, topics=size.storm_topics)
            before = _commands_when_quiet(stage.redis)
            found = stage.client.do("reconnect", window=WINDOW)
            after = _commands(stage.redis)
        used = {name: count - before.get(name, 0) for name, count in after.items()}
        reads = sum(count for name, count in used.items() if name.startswith(READS))
        return {
            **found,
            "clients": clients,
            "first": joined["seconds"],
            "reads": reads,
            "redis": used,
        }

    def asking(peer: str, server: str) -> Record:
        count = 10 if peer == "idle" else clients
        with Stage("ours", server, application="asking", dialect="users") as stage:
            stage.open(count, count, window=WINDOW)
            stage.client.do("drop")
            stage.publish(count, topics=count)
            if peer != "rule":
                stage.client.do("use_tickets")
            found = stage.client.do("reconnect", window=WINDOW)
            refused = sum(map(is_refused, range(count)))
            found |= stage.client.do("be_refused", expected=refused)
        return {**found, "clients": count, "refused": refused}

    dropped = turns("storm", 1, COMPETITORS, turn)
    return dropped + turns("storm", 1, ASKED, asking)


def report(records: Sequence[Record]) -> str:
    """Return the tables."""
    asked = [record for record in records if record["peer"] in ASKING]
    dropped = _report([each for each in records if each not in asked])
    return f"{dropped}\n\n{_asked(asked)}" if asked else dropped


def _asked(records: Sequence[Record]) -> str:
    rows = []
    for record in records:
        clients, joined = record["clients"], record["joined"]
        took = [f"{record[name]:.2f}" for name in ("told", "refused p50", "refused max")]
        rows.append([record["server"], ASKING[record["peer"]], f"{clients:,}"])
        rows[-1] += [f"{clients / joined:,.0f}", took[0], f"{record['refused']:,}", *took[1:]]
    header = ["server", "a storm of users", "clients", "reconnect a second"]
    header += ["seconds until all are told", "refused", "seconds until refused, p50", "max"]
    return table(header, rows)


def _report(records: Sequence[Record]) -> str:
    rows = []
    for record in records:
        clients = record["clients"]
        rates = [f"{clients / record[name]:,.0f}" for name in ("first", "joined")]
        rows.append(
            [record["server"], record["peer"], f"{clients:,}", *rates, f"{record['told']:.1f}"]
        )
        rows[-1] += [f"{record['by name']:,}", f"{record['resets']:,}", f"{record['untold']:,}"]
        rows[-1].append(f"{record['reads'] / clients:.3f}")
        which = {"server": record["server"], "peer": record["peer"]}
        rows[-1].append(client_cpu(records, **which))
    header = ["server", "a storm", "clients", "first connect a second", "reconnect a second"]
    header += ["seconds until all are told", "by rows", "by a reset", "not told"]
    return table([*header, "reads of Redis a client", "clients' CPU"], rows)


def verdicts(records: Sequence[Record]) -> list[Verdict]:
    """Compare the figures of the default configuration with the targets."""
    found = []
    for record in records:
        if record["peer"] == "idle":
            said = "seconds until revoked, on an idle server"
            took = record["refused max"]
            found.append(
                Verdict("tickets", record["server"], said, REFUSED_WITHIN, took, at_most=True)
            )
        if record["peer"] != "ours":
            continue
        server, reads = record["server"], record["reads"] / record["clients"]
        took = median(records, "told", server=server, peer=record["peer"])
        work = "reconnect storm"
        found.append(Verdict(work, server, "reads a client", 0.01, reads, at_most=True))
        said = "seconds until all are told"
        found.append(Verdict(work, server, said, CATCH_UP_WITHIN, took, at_most=True))
        found.append(Verdict(work, server, "not told", 0, record["untold"], at_most=True))
    return found


def _commands_when_quiet(redis: RedisServer) -> dict[str, int]:
    found = _commands(redis)
    while True:
        time.sleep(REDIS_IDLE_AFTER)
        found, before = _commands(redis), found
        if found == before:
            return found


def _commands(redis: RedisServer) -> dict[str, int]:
    """Return how often each command was called, without those of this measurement."""
    stats = redis.ask("INFO", "commandstats")
    ours = ("cmdstat_info", "cmdstat_client|setinfo", "cmdstat_ping", "cmdstat_hello")
    return {
        name.removeprefix("cmdstat_"): int(stat["calls"])
        for name, stat in stats.items()
        if name not in ours
    }
