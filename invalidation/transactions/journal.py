"""The journal of a database connection: the changes that its current transaction has made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from invalidation.changes import Change, JournalEntry, ParentRow, UnknownRows
from invalidation.conf import conf
from invalidation.tracking.declarations import Declaration
from invalidation.tracking.matching import topics_concerned
from invalidation.tracking.registry import declaration_of
from invalidation.transactions.driver_state import is_in_transaction
from realtime.messages.message import Message, Reset

_ATTRIBUTE = "_invalidation_journal"


@dataclass(frozen=True, slots=True)
class Held:
    """Messages of an open transaction whose end Django does not see.

    `send` is called when the end is seen. If they are not `stored` in the transaction, they were
    also sent already: it may end without a sign.
    """

    send: Callable[[], None]
    entries: tuple[JournalEntry, ...]
    stored: bool


class Journal:
    """The entries of one transaction, in their order.

    Owner: the thread that owns the connection. A savepoint remembers the journal's length, and
    rolling back to it, by a block or by hand, cuts the journal to that length.
    """

    def __init__(self, connection: BaseDatabaseWrapper | None = None) -> None:
        self._connection = connection
        self._entries: list[JournalEntry] = []
        self._collapsed = 0
        self._savepoints: dict[str, int] = {}
        self._first_savepoint: str | None = None
        self._reset_models: set[type[Model]] = set()
        self.is_writing = False
        """True if the transaction holds the write lock of a database that has one (SQLite)."""
        self.is_begun_by_block = False
        """True if an atomic block began the transaction; the block acts after the commit."""
        self.vacant: set[tuple[type[Model], str]] = set()
        """Tables with multi-table children, and keys, as text, that are free for other rows."""
        self.to_send: list[Callable[[], None]] = []
        """Functions to call next, which send the messages of committed transactions."""
        self.held: list[Held] = []
        """Messages of a transaction that raw SQL began."""
        self.is_open = False
        """True if the driver was in the transaction of these entries when it was last asked."""
        self.is_ending = False
        """True while Django itself ends the transaction."""
        self.readers: dict[int, Any] = {}
        """The row readers of this connection, kept from one transaction to the next."""
        self.facts: dict[str, Any] = {}
        """The catalogue's facts of the tables: see `invalidation.capture.catalogue`."""
        self.facts_driver: object = None
        """The driver's connection on which the facts were read."""
        self.facts_seen: object = None
        """The versions of SQLite's schemas in which they were read."""
        self.are_facts_changing = False
        """True if a statement of the current transaction may have changed the facts."""

    def add(self, entries: Iterable[JournalEntry]) -> None:
        """Add entries, in their order; above MAX_TRANSACTION_ROWS rows become topics to reset."""
        self._entries.extend(entries)
        self.note_state()
        if len(self._entries) - self._collapsed > conf.MAX_TRANSACTION_ROWS:
            self._collapse()

    def note_state(self) -> None:
        """Note whether the driver is in a transaction, if the journal waits for its end."""
        if not self.is_open and (self._entries or self.held) and self._connection is not None:
            self.is_open = is_in_transaction(self._connection)

    def note_savepoint(self, savepoint: str, *, begins: bool = False) -> None:
        """Remember the journal's length at a new savepoint; `begins` if it began a transaction."""
        self._savepoints[savepoint] = len(self._entries)
        if begins:
            self._first_savepoint = savepoint

    def is_begun_by(self, savepoint: str | None) -> bool:
        """Return True if this savepoint began the transaction, so that releasing it commits."""
        return savepoint is not None and savepoint == self._first_savepoint

    def roll_back_to(self, savepoint: str) -> None:
        """Drop the entries since a savepoint.

        A savepoint that raw SQL made was not remembered, so it is unknown which entries came before
        it: all rows become unknown changes.
        """
        # SQLite releases a write lock that was taken after the savepoint.
        self.is_writing = False
        if savepoint in self._savepoints:
            del self._entries[self._savepoints[savepoint] :]
            self._collapsed = min(self._collapsed, len(self._entries))
        else:
            self._entries = as_resets(self._entries)

    def entries(self) -> tuple[JournalEntry, ...]:
        """Return all entries."""
        return tuple(self._entries)

    def clear(self) -> None:
        """Start empty, after the end of a transaction."""
        self._entries.clear()
        self._collapsed = 0
        self._savepoints.clear()
        self._first_savepoint = None
        self._reset_models.clear()
        self.vacant.clear()
        self.is_writing = False
        self.is_open = False
        if self.are_facts_changing:
            self.facts.clear()
            self.are_facts_changing = False

    def resets_all_of(self, declarations: Collection[Declaration]) -> bool:
        """Return True if all families of these models are reset anyway, whatever follows.

        Neither a later write nor a rollback to a savepoint changes that.
        """
        if not self._reset_models or not declarations:
            return False
        return all(each.model in self._reset_models for each in declarations)

    def _parents(self) -> Iterator[ParentRow]:
        return (entry for entry in self._entries if isinstance(entry, ParentRow))

    def _collapse(self) -> None:
        """Replace rows by topics to reset, so that the memory of a long transaction is bounded.

        The topics of rows that are rolled back later stay: their reset is needless.
        """
        changes: dict[Any, list[Change]] = {}
        unknown: dict[tuple[Any, str], UnknownRows] = {}
        parents = {(e.model, e.identity, e.written): e for e in self._parents()}
        if len(parents) > conf.MAX_TRANSACTION_ROWS:
            children = dict.fromkeys(child for e in parents.values() for child in e.children)
            parents = {}
            for child in children:
                _join(unknown, UnknownRows(child, Reset.BULK))
        for entry in self._entries:
            if isinstance(entry, Change):
                changes.setdefault(entry.model, []).append(entry)
            elif isinstance(entry, UnknownRows):
                _join(unknown, entry)
        for model, rows in changes.items():
            _join(unknown, _reset_of(model, rows))
        kept = [entry for entry in self._entries if isinstance(entry, Message)]
        self._entries = [*kept, *parents.values(), *unknown.values()]
        # The entries that are left are not collapsed again at every write.
        self._collapsed = len(self._entries)
        self._savepoints = dict.fromkeys(self._savepoints, len(self._entries))
        self._reset_models.update(entry.model for entry in unknown.values() if entry.topics is None)


def as_resets(entries: Iterable[JournalEntry]) -> list[JournalEntry]:
    """Return entries that reset the models of `entries`, for a transaction in doubt."""
    known = list(entries)
    models = dict.fromkeys(model for entry in known for model in _models_of(entry))
    return [
        *(entry for entry in known if isinstance(entry, Message)),
        *(UnknownRows(model, Reset.RAW_SQL) for model in models),
    ]


def _models_of(entry: JournalEntry) -> tuple[Any, ...]:
    """Return the tracked models whose rows an entry is about."""
    if isinstance(entry, Message):
        return ()
    return entry.children if isinstance(entry, ParentRow) else (entry.model,)


def _reset_of(model: Any, rows: list[Change]) -> UnknownRows:
    declaration = declaration_of(model)
    topics = topics_concerned(declaration, rows, conf.MAX_TOPICS) if declaration else None
    return UnknownRows(model, Reset.BULK, topics)


def _join(unknown: dict[tuple[Any, str], UnknownRows], entry: UnknownRows) -> None:
    """Keep one entry a model and reason, with the topics of all, or None above MAX_TOPICS."""
    key = (entry.model, entry.reset)
    known = unknown.get(key, entry).topics
    both = None if known is None or entry.topics is None else known | entry.topics
    if both is not None and len(both) > conf.MAX_TOPICS:
        both = None
    unknown[key] = replace(entry, topics=both)


def journal_of(connection: BaseDatabaseWrapper) -> Journal:
    """Return the journal of a connection; the first call makes it."""
    # As an attribute: `django.db.connection`, a proxy, sets it on the real connection.
    journal: Journal | None = getattr(connection, _ATTRIBUTE, None)
    if journal is None:
        journal = Journal(connection)
        setattr(connection, _ATTRIBUTE, journal)
    return journal
