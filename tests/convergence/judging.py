"""Judge a round: find clients that are stale or unaware of denials, and repeated changes."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from tests.convergence.node_crowd import Client

UNCOMMITTED = ("rollback", "refused")
LAG = 5.0
"""Seconds by which a server may be behind. It sends a client the messages that it reads after the
subscription, though the client's page shows those changes already: once, which is no repeat."""

Rows = Mapping[str, Any]
Difference = dict[str, tuple[Any, Any]]
"""Key -> the row that a client shows, and the row in the database."""


@dataclass(frozen=True, slots=True)
class Truth:
    """The rows in the database, and the topics that each viewer may not see."""

    rows: Mapping[str, Rows]
    """The rows of every topic, by key."""
    hidden: Mapping[str, frozenset[str]]
    """Viewer -> the topics that the viewer may not see."""

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Self:
        """Convert the output of the board's command `truth`."""
        hidden = {viewer: frozenset(topics) for viewer, topics in said["hidden"].items()}
        return cls(said["rows"], hidden)

    def seen_by(self, viewer: str, topic: str) -> Rows:
        """Return the rows of a topic for one viewer: none if it is hidden."""
        return {} if topic in self.hidden[viewer] else self.rows[topic]


@dataclass(frozen=True, slots=True)
class Commits:
    """The writers' logs: the number of commits, and when each row of each topic was written."""

    number: int
    refused: int
    kinds: Counter[str]
    moments: Mapping[tuple[str, str, str], list[float]]

    def since(self, row: tuple[str, str, str], moment: float) -> int:
        """Return the number of commits since `moment` that wrote a row of a topic, or more."""
        moments = self.moments.get(row, [])
        return len(moments) - bisect_left(moments, moment)


def read_commits(paths: Iterable[Path], last: tuple[str, str, str]) -> Commits:
    """Read the writers' logs; `last` is the sentinel, which the harness wrote, not a writer.

    A line that a kill cut off is ignored.
    """
    kinds: Counter[str] = Counter()
    moments: defaultdict[tuple[str, str, str], list[float]] = defaultdict(list)
    moments[last].append(inf)
    for line in (line for path in paths for line in path.read_text().splitlines()):
        try:
            note = json.loads(line)
        except ValueError:
            continue
        if note["kind"] in UNCOMMITTED or not (note["told"] or note["kind"] == "raw"):
            kinds["refused"] += note["kind"] == "refused"
            continue
        kinds[note["kind"]] += 1
        for topic, label, pk in note["told"]:
            moments[topic, label, pk].append(note["at"])
    refused = kinds.pop("refused", 0)
    ordered = {row: sorted(each) for row, each in moments.items()}
    return Commits(kinds.total(), refused, kinds, ordered)


def differences(client: Client, truth: Truth) -> dict[str, Difference]:
    """Return topic -> the rows that a client shows otherwise than the database has them."""
    found = {}
    for topic, rows in client.shown.items():
        there = truth.seen_by(client.viewer, topic)
        pairs = {pk: (rows.get(pk), there.get(pk)) for pk in {*rows, *there}}
        wrong = {pk: (held, true) for pk, (held, true) in pairs.items() if held != true}
        if wrong:
            found[topic] = wrong
    return found


def unaware(client: Client, truth: Truth) -> frozenset[str]:
    """Return the shown topics whose denial the client does not know, or wrongly believes."""
    hidden = truth.hidden[client.viewer].intersection(client.shown)
    return hidden.symmetric_difference(client.denied)


def repeats(client: Client, commits: Commits) -> int:
    """Return how many more changes a client received than were written, counted by row.

    A lower bound: messages are merged, which hides some repeats.
    """
    number = 0
    for watch in client.watches:
        for (label, pk), told in watch.told.items():
            row = (watch.topic, label, pk)
            number += max(0, told - commits.since(row, watch.since - LAG))
    return number


def portrait(
    client: Client,
    found: Mapping[str, Difference],
    began: float,
    faults: Iterable[tuple[float, str]] = (),
) -> str:
    """Return a client as text: its wrong rows, the database's rows, and its last events.

    Among the events are the nemesis' `faults` of that time, in capitals.
    """
    lines = [f"{client.name} ({client.kind}), {client.state}, settled: {client.settled}"]
    lines += [f"  of person {client.viewer}, denied: {sorted(client.denied)}"]
    for topic, rows in found.items():
        lines.append(f"  {topic}")
        lines += [f"    {pk}: holds {held}, true is {true}" for pk, (held, true) in rows.items()]
    for watch in client.watches:
        if watch.topic in found:
            lines.append(
                f"  subscription to {watch.topic} since {watch.since - began:.3f},"
                f" confirmed: {watch.confirmed}, cursor {watch.cursor}"
            )
    lines.append("  its last events:")
    events = [(moment, f"{kind} {_short(what)}") for moment, kind, what in client.events]
    first = events[0][0] if events else 0.0
    events += [(moment, what.upper()) for moment, what in faults if moment >= first]
    lines += [f"    {moment - began:8.3f} {what}" for moment, what in sorted(events)]
    return "\n".join(lines)


def _short(what: Mapping[str, Any]) -> str:
    return json.dumps(what, default=str)[:600]
