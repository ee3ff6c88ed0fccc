"""Collecting what a transaction changed, and telling it once, on commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.db.backends.base.base import BaseDatabaseWrapper

from invalidation.changes import Change, Unknown, merge
from invalidation.topic_matching import messages_for
from invalidation.tracking import declaration_of
from realtime.messages import Message, Reset
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
        self._begun_by: str | None = None

    def add(self, entries: Iterable[Entry]) -> None:
        """Note changes, in their order."""
        self._entries.extend(entries)

    def mark(self, savepoint: str, *, begins: bool = False) -> None:
        """Remember where the journal stands at a new savepoint, and if it began a transaction."""
        self._marks[savepoint] = len(self._entries)
        if begins:
            self._begun_by = savepoint

    def begun_by(self, savepoint: str | None) -> bool:
        """Did this savepoint begin the transaction, so that releasing it commits?"""
        return savepoint is not None and savepoint == self._begun_by

    def roll_back_to(self, savepoint: str) -> None:
        """Forget what was noted since a savepoint.

        Of a savepoint that was never marked, made by raw SQL, it is not known what came before it.
        """
        if savepoint in self._marks:
            del self._entries[self._marks[savepoint] :]
        else:
            models = dict.fromkeys(entry.model for entry in self._entries)
            self._entries = [Unknown(model, Reset.RAW_SQL) for model in models]

    def entries(self) -> tuple[Entry, ...]:
        """Return all that was noted."""
        return tuple(self._entries)

    def clear(self) -> None:
        """Begin anew, after the end of a transaction."""
        self._entries.clear()
        self._marks.clear()
        self._begun_by = None


def journal_of(connection: BaseDatabaseWrapper) -> Journal:
    """Return the journal of a connection, made at the first call."""
    # By attribute, which `django.db.connection`, a proxy, hands on to the connection behind it.
    journal: Journal | None = getattr(connection, _ATTRIBUTE, None)
    if journal is None:
        journal = Journal()
        setattr(connection, _ATTRIBUTE, journal)
    return journal


def flush(connection: BaseDatabaseWrapper) -> Callable[[], None] | None:
    """Store the transaction's messages with it; return what to call once it has committed.

    Return None when there is nothing to tell. To be called right before the commit; the journal
    stays as it is, for a commit that fails may be tried again.
    """
    messages = _messages_of(journal_of(connection).entries())
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
