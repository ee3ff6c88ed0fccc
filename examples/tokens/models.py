"""Tokens by which programs log in."""

from __future__ import annotations

import hashlib
import secrets

from django.conf import settings
from django.db import models, transaction


class Token(models.Model):
    """One token of a user. Only its digest is stored, so the table does not reveal tokens."""

    digest = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)

    def __str__(self) -> str:
        return f"token {self.pk} of {self.user}"

    @classmethod
    def issue(cls, user: models.Model) -> str:
        """Create a token for this user and return it; it cannot be read again."""
        token = secrets.token_urlsafe(32)
        cls.objects.create(digest=digest_of(token), user=user)
        return token

    @transaction.atomic
    def withdraw(self) -> None:
        """Delete the token, and end the connections that it has opened."""
        self.delete()
        # Saving a user makes every process check that user's connections at once.
        self.user.save(update_fields=["is_active"])


def digest_of(token: str) -> str:
    """Return the digest of a token. Tokens are long and random, so a fast hash suffices."""
    return hashlib.sha256(token.encode()).hexdigest()
