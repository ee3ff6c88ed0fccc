"""Turn a transaction's journal into messages, and store them with the transaction on commit."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from invalidation.changes import Change, JournalEntry, ParentRow, UnknownRows, merge
from invalidation.conf import conf
from invalidation.exceptions import BadDeclaration
from invalidation.signals import rows_changed
from invalidation.tracking.fingerprints import with_fingerprint
from invalidation.tracking.matching import messages_for
from invalidation.tracking.registry import declaration_of
from invalidation.transactions.journal import journal_of
from realtime.messages.message import Message
from realtime.publish import prepare

logger = logging.getLogger("invalidation.commit")

Listener = Callable[[Sequence[Message]], None]
"""Receives the messages of each transaction that commits, in the thread that commits it."""

listeners: list[Listener] = []
"""The functions to call with the messages; `invalidation.testing` adds its own."""


Completer = Callable[..., Sequence[JournalEntry]]
"""Takes a connection, entries and whether their transaction ends; returns more complete entries."""

completers: list[Completer] = []
"""Capture's reader of multi-table children, whose rows are read when the transaction ends."""


def complete(
    connection: BaseDatabaseWrapper, entries: Sequence[JournalEntry], *, at_the_end: bool
) -> Sequence[JournalEntry]:
    """Return a transaction's entries with all changes in them."""
    for completer in completers:
        entries = completer(connection, entries, at_the_end=at_the_end)
    return entries


def flush(connection: BaseDatabaseWrapper, *, at_the_end: bool = True) -> Callable[[], None] | None:
    """Store the transaction's messages; return the function that sends them once it has committed.

    Return None if there are no messages. Raise what a topic function raises, and BadDeclaration if
    one has written. Call it right before the commit. If the transaction goes on afterwards,
    `at_the_end` is False. The journal is not cleared, since a commit that fails may be tried again.
    """
    noted = journal_of(connection).entries()
    if not noted:
        return None
    entries = complete(connection, noted, at_the_end=at_the_end)
    changes = merge(entry for entry in entries if isinstance(entry, Change))
    messages = messages_of(entries, changes)
    if len(journal_of(connection).entries()) != len(noted):
        raise BadDeclaration(
            "a topic function wrote to a tracked table; expected it only to read its row: write in"
            " the view, or in a receiver of rows_changed"
        )
    if not messages:
        return None
    alias = connection.alias
    send = prepare(messages, alias)

    def send_all() -> None:
        _send_signal(entries, changes, alias)
        for listener in tuple(listeners):
            listener(messages)
        send()

    return send_all


def messages_of(
    entries: Sequence[JournalEntry], changes: Sequence[Change] | None = None
) -> list[Message]:
    """Return the messages of one transaction's complete entries.

    `changes` are its merged ones, if known.
    """
    if changes is None:
        changes = merge(entry for entry in entries if isinstance(entry, Change))
    resets = _resets_for(entry for entry in entries if isinstance(entry, UnknownRows))
    by_hand = [entry for entry in entries if isinstance(entry, Message)]
    rows = messages_for(changes, declaration_of, conf.MAX_IMAGE_BYTES)
    named = (e for e in (*changes, *entries) if not isinstance(e, Message | ParentRow))
    models = {entry.model for entry in named}
    known = {d.model_topic: d for model in models if (d := declaration_of(model)) is not None}
    told = [*rows, *resets]
    return [
        *(with_fingerprint(m, known[m.topic]) if m.topic in known else m for m in told),
        *by_hand,
    ]


def _resets_for(unknown: Iterable[UnknownRows]) -> list[Message]:
    resets = {}
    for entry in unknown:
        declaration = declaration_of(entry.model)
        for topic in (entry.topics or declaration.families) if declaration else ():
            resets[topic] = Message(topic, reset=entry.reset)
    return list(resets.values())


def _send_signal(entries: Iterable[JournalEntry], changes: Iterable[Change], alias: str) -> None:
    """Send `rows_changed`, once a model."""
    if not rows_changed.receivers:
        return
    rows: dict[Any, list[Change] | None] = {}
    for change in changes:
        rows.setdefault(change.model, []).append(change)  # type: ignore[union-attr]
    rows |= {entry.model: None for entry in entries if isinstance(entry, UnknownRows)}
    for model, changed in rows.items():
        for receiver, error in rows_changed.send_robust(model, changes=changed, using=alias):
            if isinstance(error, Exception):
                logger.error("a receiver of rows_changed failed: %r", receiver, exc_info=error)
