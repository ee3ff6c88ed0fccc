"""Collecting what a transaction changed, and telling it once, on commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.db.backends.base.base import BaseDatabaseWrapper

from invalidation.changes import Change, Unknown, merge
from invalidation.topic_matching import messages_for
from invalidation.tracking import declaration_of
from realtime.messages import Message
from realtime.publish import prepare

Entry = Change | Unknown

_ATTRIBUTE = "_invalidation_journal"


class Journal:
    """What the current transaction of one database connection has changed so far.

    Owner: the thread that owns the connection. A savepoint marks how far the journal had come,
    and rolling back to it takes the journal back there, whoever asked for it.
    """

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._marks: dict[str, int] = {}

    def add(self, entries: Iterable[Entry]) -> None:
        """Note changes, in their order."""
        self._entries.extend(entries)

    def mark(self, savepoint: str) -> None:
        """Remember where the journal stands at a new savepoint."""
        self._marks[savepoint] = len(self._entries)

    def roll_back_to(self, savepoint: str) -> None:
        """Forget what was noted since a savepoint; nothing had been, if it was never marked."""
        del self._entries[self._marks.get(savepoint, 0) :]

    def take(self) -> list[Entry]:
        """Return all that was noted, and begin anew."""
        entries, self._entries = self._entries, []
        self._marks.clear()
        return entries


def journal_of(connection: BaseDatabaseWrapper) -> Journal:
    """Return the journal of a connection, made at the first call."""
    journal: Journal | None = connection.__dict__.get(_ATTRIBUTE)
    if journal is None:
        journal = connection.__dict__[_ATTRIBUTE] = Journal()
    return journal


def flush(connection: BaseDatabaseWrapper) -> Callable[[], None] | None:
    """Store the transaction's messages with it; return what to call once it has committed.

    Return None when there is nothing to tell. To be called right before the commit.
    """
    messages = _messages_of(journal_of(connection).take())
    return prepare(messages, connection.alias) if messages else None


def _messages_of(entries: Iterable[Entry]) -> list[Message]:
    changes = [entry for entry in entries if isinstance(entry, Change)]
    unknown = [entry for entry in entries if isinstance(entry, Unknown)]
    return [*messages_for(merge(changes), declaration_of), *_resets_for(unknown)]


def _resets_for(unknown: Iterable[Unknown]) -> list[Message]:
    resets = {}
    for entry in unknown:
        declaration = declaration_of(entry.model)
        for topic in declaration.families if declaration else ():
            resets[topic] = Message(topic, reset=entry.reset)
    return list(resets.values())
