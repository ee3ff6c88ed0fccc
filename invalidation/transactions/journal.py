"""What the current transaction of a database connection has changed so far."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from invalidation.changes import Change, Entry, Unknown
from invalidation.conf import conf
from invalidation.tracking.declarations import Declaration
from invalidation.tracking.matching import topics_concerned
from invalidation.tracking.registry import declaration_of
from realtime.messages.message import Message, Reset

_ATTRIBUTE = "_invalidation_journal"


class Journal:
    """The entries of one transaction, in their order.

    Owner: the thread that owns the connection. A savepoint marks how far the journal had come,
    and rolling back to it takes the journal back there, whoever asked for it.
    """

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._collapsed = 0
        self._marks: dict[str, int] = {}
        self._begun_by: str | None = None
        self._given_up: set[type[Model]] = set()
        self.is_writing = False
        """Has the transaction taken the write lock, where there is one?"""
        self.is_of_block = False
        """Was the transaction begun by an atomic block, which has work to do behind its commit?"""
        self.vacant: set[tuple[type[Model], Any]] = set()
        """Tables with multi-table children, and keys that rows there had: others may get them."""
        self.committed: list[Callable[[], None]] = []
        """What is to be called now that it has committed."""
        self.readers: dict[int, Any] = {}
        """What the seam keeps for this connection from one transaction to the next."""
        self.triggers: tuple[object, set[str]] | None = None
        """The tables that have triggers, and the state of the schema in which that was seen."""

    def add(self, entries: Iterable[Entry]) -> None:
        """Note changes, in their order."""
        self._entries.extend(entries)
        if len(self._entries) - self._collapsed > conf.MAX_TRANSACTION_ROWS:
            self._collapse()

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
        # It may have been taken since: SQLite gives up what it took behind a savepoint.
        self.is_writing = False
        if savepoint in self._marks:
            del self._entries[self._marks[savepoint] :]
            self._collapsed = min(self._collapsed, len(self._entries))
        else:
            kept = [entry for entry in self._entries if isinstance(entry, Message)]
            models = dict.fromkeys(e.model for e in self._entries if not isinstance(e, Message))
            self._entries = [*kept, *(Unknown(model, Reset.RAW_SQL) for model in models)]

    def entries(self) -> tuple[Entry, ...]:
        """Return all that was noted."""
        return tuple(self._entries)

    def clear(self) -> None:
        """Begin anew, after the end of a transaction."""
        self._entries.clear()
        self._collapsed = 0
        self._marks.clear()
        self._begun_by = None
        self._given_up.clear()
        self.vacant.clear()
        self.is_writing = False

    def has_given_up(self, declarations: Collection[Declaration]) -> bool:
        """Are all topics of these models reset anyway, whatever is written or rolled back?"""
        if not self._given_up or not declarations:
            return False
        return all(each.model in self._given_up for each in declarations)

    def _collapse(self) -> None:
        """Note topics to reset in the place of rows: a long transaction costs bounded memory.

        What is rolled back later stays among them: that is told needlessly.
        """
        changes: dict[Any, list[Change]] = {}
        unknown: dict[tuple[Any, str], Unknown] = {}
        for entry in self._entries:
            if isinstance(entry, Change):
                changes.setdefault(entry.model, []).append(entry)
            elif isinstance(entry, Unknown):
                _join(unknown, entry)
        for model, rows in changes.items():
            _join(unknown, _reset_of(model, rows))
        kept = [entry for entry in self._entries if isinstance(entry, Message)]
        self._entries = [*kept, *unknown.values()]
        # What is left is not to be gone through again at every write.
        self._collapsed = len(self._entries)
        self._marks = dict.fromkeys(self._marks, len(self._entries))
        self._given_up.update(entry.model for entry in unknown.values() if entry.topics is None)


def _reset_of(model: Any, rows: list[Change]) -> Unknown:
    declaration = declaration_of(model)
    topics = topics_concerned(declaration, rows, conf.MAX_TOPICS) if declaration else None
    return Unknown(model, Reset.BULK, topics)


def _join(unknown: dict[tuple[Any, str], Unknown], entry: Unknown) -> None:
    """Keep one entry a model and reason, with the topics of all, or none if they are too many."""
    key = (entry.model, entry.reset)
    known = unknown.get(key, entry).topics
    both = None if known is None or entry.topics is None else known | entry.topics
    if both is not None and len(both) > conf.MAX_TOPICS:
        both = None
    unknown[key] = replace(entry, topics=both)


def journal_of(connection: BaseDatabaseWrapper) -> Journal:
    """Return the journal of a connection, made at the first call."""
    # By attribute, which `django.db.connection`, a proxy, hands on to the connection behind it.
    journal: Journal | None = getattr(connection, _ATTRIBUTE, None)
    if journal is None:
        journal = Journal()
        setattr(connection, _ATTRIBUTE, journal)
    return journal
