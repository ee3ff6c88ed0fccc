"""The stored records: messages written in the transaction that they tell of."""

from __future__ import annotations

import secrets

from django.db import models


def new_token() -> str:
    """Return text that no other record will ever have."""
    return secrets.token_urlsafe(9)


class StoredRecord(models.Model):
    """The messages of one transaction, or of one call of `publish()`.

    It exists if and only if what it tells of was committed. `token` tells it from any other record
    that may stand under the same id in another life of the database (a restore, a flush), so that
    id and token together are a cursor that can be verified: while the record is there, so is
    everything after it, since pruning takes the oldest first and always leaves the newest.
    """

    id = models.BigAutoField(primary_key=True)
    token = models.CharField(max_length=16, default=new_token)
    payload = models.TextField()

    class Meta:
        verbose_name = "stored record"

    def __str__(self) -> str:
        return f"stored record {self.pk}"
