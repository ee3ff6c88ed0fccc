"""Compare the messages of a transaction with the changes of its rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from tests.invalidation.oracle.snapshot import State
from tests.invalidation.oracle.tables import BY_LABEL, TABLES, Row, own_topic

Line = tuple[str, str, str, str]
"""Topic, label, primary key and verb."""

_PARENTS = {table.child: table.label for table in TABLES if table.child}


@dataclass(frozen=True)
class Told:
    """The messages of one transaction's record."""

    lines: frozenset[Line] = frozenset()
    resets: frozenset[str] = frozenset()

    @property
    def topics(self) -> set[str]:
        """The topics of the row messages."""
        return {topic for topic, *_ in self.lines}

    def covers(self, line: Line) -> bool:
        """Return True if a client of the line's topic gets a message or a reset."""
        return line in self.lines or self.is_reset(line[0])

    def is_reset(self, topic: str) -> bool:
        """Return True if a client of the topic gets a reset, and reads everything again."""
        return topic in self.resets or _family(topic) in self.resets


@dataclass(frozen=True)
class Verdict:
    """The errors in a transaction's messages, and how many topics they had."""

    missing: frozenset[Line] = frozenset()
    """Rows that really changed without a message: a client is stale."""
    untrue: frozenset[Line] = frozenset()
    """Messages about rows that were not written, or do not belong to the topic."""
    needless: frozenset[str] = frozenset()
    """Topics with messages, though none of their rows was written."""
    topics: int = 0


@dataclass
class Expected:
    """The lines that a transaction's messages must have, and those that they may have."""

    must: set[Line] = field(default_factory=set)
    may: set[Line] = field(default_factory=set)


def judge(before: State, after: State, written: Iterable[Row], told: Told) -> Verdict:
    """Compare messages with the rows before and after; `written` rows may be unchanged."""
    expected = expect(before, after, written)
    return Verdict(
        missing=frozenset(line for line in expected.must if not told.covers(line)),
        untrue=told.lines - expected.may,
        needless=frozenset(told.topics - {topic for topic, *_ in expected.may}),
        topics=len(told.topics),
    )


def expect(before: State, after: State, written: Iterable[Row]) -> Expected:
    """Return the required and the allowed lines."""
    expected = Expected()
    rows = set(_with_children(written))
    verbs = {(line[0], *row): line for row in rows for line in _lines(row, before, after)}
    expected.may |= set(verbs.values())
    changed = {row for row in rows if _differs(row, before, after)}
    expected.must |= {line for line in verbs.values() if line[1:3] in changed}
    for row in rows:
        for topic, label, key in _ends(row, before, after):
            # If the row itself was written too, its own verb says more.
            line = verbs.get((topic, label, key), (topic, label, key, "updated"))
            expected.may.add(line)
            if row in changed:
                expected.must.add(line)
    return expected


def _lines(row: Row, before: State, after: State) -> Iterator[Line]:
    did, does = _topics(row, before), _topics(row, after)
    for topic in did | does:
        verb = "updated" if topic in did & does else "left" if topic in did else "entered"
        yield (topic, *row, verb)


def _topics(row: Row, state: State) -> frozenset[str]:
    return _topics_of(row, state[row]) if row in state else frozenset()


@lru_cache(maxsize=10_000)
def _topics_of(row: Row, values: tuple[str, ...]) -> frozenset[str]:
    return BY_LABEL[row[0]].topics_of(row, values)


def _differs(row: Row, before: State, after: State) -> bool:
    """Return True if a column of the row changed, an inherited one included."""
    label, key = row
    rows = [row, (_PARENTS[label], key)] if label in _PARENTS else [row]
    return any(before.get(each) != after.get(each) for each in rows)


def _with_children(rows: Iterable[Row]) -> Iterator[Row]:
    for label, key in rows:
        yield label, key
        if child := BY_LABEL[label].child:
            yield child, key


def _ends(row: Row, before: State, after: State) -> Iterator[tuple[str, str, str]]:
    table = BY_LABEL[row[0]]
    for values in (before.get(row), after.get(row)):
        for column, label in table.ends.items() if values else ():
            key = values[table.columns.index(column)]
            for topic in own_topic(label, key):
                yield topic, label, key


def _family(topic: str) -> str:
    name, _, key = topic.partition(":")
    return f"object:{key.partition('/')[0]}/" if name == "object" else f"{name}:"
