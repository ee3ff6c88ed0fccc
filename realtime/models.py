"""The tables of messages that are written in the transaction of their change."""

from __future__ import annotations

import secrets
from typing import Any

from django.db import models


def new_token() -> str:
    """Return random text that identifies one record for ever.

    Cursors begin with it, and are arguments of commands. It has no dash, which would make a cursor
    an option.
    """
    return secrets.token_hex(8)


class TransactionId(models.Func):
    """The id of the writing transaction, for databases with many writers at a time."""

    template = "NULL"
    output_field = models.BigIntegerField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Return PostgreSQL's expression: an id of 64 bits, which is never used again."""
        return self.as_sql(
            compiler, connection, template="((pg_current_xact_id())::text)::bigint", **context
        )


class StoredRecord(models.Model):
    """The messages of one transaction, or of one call of `publish()`.

    A record exists if and only if its change was committed. `token` distinguishes it from a record
    with the same id in another life of the database (a restore, a flush). So id and token together
    are a cursor that can be verified: while the record exists, all later ones do, since pruning
    removes the oldest first and always leaves the newest.

    That is so on SQLite. On PostgreSQL `xid` replaces both: see
    `realtime.backends.database.postgres`.
    """

    id = models.BigAutoField(primary_key=True)
    token = models.CharField(max_length=16, default=new_token)
    payload = models.TextField()
    xid = models.BigIntegerField(null=True, editable=False, db_default=TransactionId())

    class Meta:
        verbose_name = "stored record"
        # Empty on databases without the column's value.
        indexes = [  # noqa: RUF012 -- as Django has it
            models.Index(
                fields=["xid"], condition=models.Q(xid__isnull=False), name="realtime_record_xid"
            )
        ]

    def __str__(self) -> str:
        return f"stored record {self.pk}"


class OutboxRecord(models.Model):
    """The messages of one transaction that are to be sent to a backend outside the database.

    A record exists from the commit of its change until the backend has taken the messages. It is
    not a history: see `realtime.backends.outbox`.
    """

    id = models.BigAutoField(primary_key=True)
    payload = models.TextField()

    class Meta:
        verbose_name = "outbox record"

    def __str__(self) -> str:
        return f"outbox record {self.pk}"
