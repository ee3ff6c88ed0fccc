"""The project's model of users, if it has one."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model


def user_model() -> type[Model] | None:
    """Return the model; None where there is none, as in settings of a worker that leave it out."""
    try:
        return get_user_model()
    except ImproperlyConfigured:
        return None
