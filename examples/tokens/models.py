"""Tokens by which programs log in."""

from __future__ import annotations

import hashlib
import secrets

from django.conf import settings
from django.db import models, transaction


class Token(models.Model):
    """One token of a user. Only its digest is stored: whoever reads the table can use none."""

    digest = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)

    def __str__(self) -> str:
        return f"token {self.pk} of {self.user}"

    @classmethod
    def issue(cls, user: models.Model) -> str:
        """Make a token for this user and return it; nobody can read it again."""
        token = secrets.token_urlsafe(32)
        cls.objects.create(digest=digest_of(token), user=user)
        return token

    @transaction.atomic
    def withdraw(self) -> None:
        """Let nobody in by it any longer, and end what it has opened."""
        self.delete()
        # Saving a user makes every process look at once whether their connections may stay.
        self.user.save(update_fields=["is_active"])


def digest_of(token: str) -> str:
    """Return what is stored of a token. It is long and random, so a fast hash will do."""
    return hashlib.sha256(token.encode()).hexdigest()
