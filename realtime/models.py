"""The tables of messages that are written in the transaction that they tell of."""

from __future__ import annotations

import secrets
from typing import Any

from django.db import models


def new_token() -> str:
    """Return text that no other record will ever have.

    It begins cursors, which are given to commands: one with a dash in front would be an option.
    """
    return secrets.token_hex(8)


class TransactionId(models.Func):
    """The id of the transaction that writes, for databases on which many write at a time."""

    template = "NULL"
    output_field = models.BigIntegerField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Spell it as PostgreSQL does: an id of 64 bits, which is never used again."""
        return self.as_sql(
            compiler, connection, template="((pg_current_xact_id())::text)::bigint", **context
        )


class StoredRecord(models.Model):
    """The messages of one transaction, or of one call of `publish()`.

    It exists if and only if what it tells of was committed. `token` tells it from any other record
    that may stand under the same id in another life of the database (a restore, a flush), so that
    id and token together are a cursor that can be verified: while the record is there, so is
    everything after it, since pruning takes the oldest first and always leaves the newest.

    That is so on SQLite. On PostgreSQL `xid` takes the place of both: see
    `realtime.backends.database.postgres`.
    """

    id = models.BigAutoField(primary_key=True)
    token = models.CharField(max_length=16, default=new_token)
    payload = models.TextField()
    xid = models.BigIntegerField(null=True, editable=False, db_default=TransactionId())

    class Meta:
        verbose_name = "stored record"
        # Empty where the column is.
        indexes = [  # noqa: RUF012 -- as Django has it
            models.Index(
                fields=["xid"], condition=models.Q(xid__isnull=False), name="realtime_record_xid"
            )
        ]

    def __str__(self) -> str:
        return f"stored record {self.pk}"


class OutboxRecord(models.Model):
    """The messages of one transaction, for a backend outside the database to be sent.

    It exists from the commit of what it tells of until the backend has taken the messages. Nobody
    reads a history from here; see `realtime.backends.outbox`.
    """

    id = models.BigAutoField(primary_key=True)
    payload = models.TextField()

    class Meta:
        verbose_name = "outbox record"

    def __str__(self) -> str:
        return f"outbox record {self.pk}"
