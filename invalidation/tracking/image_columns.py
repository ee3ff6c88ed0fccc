"""Which columns have images: their values before and after a change travel between the servers.

Never to clients. By default they are columns that say which rows are meant, not what people wrote:
foreign keys, integers, booleans, decimals, dates, times, and texts with `choices`. Free text, JSON,
files and binary are left out, and everything but keys of the apps that keep passwords and sessions.
`track(…, images=["name"])` adds columns, `images=False` takes all of them out.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Field, Model

KINDS: frozenset[type[Field[Any, Any]]] = frozenset(
    {
        models.AutoField,
        models.BigAutoField,
        models.SmallAutoField,
        models.IntegerField,
        models.BigIntegerField,
        models.SmallIntegerField,
        models.PositiveIntegerField,
        models.PositiveBigIntegerField,
        models.PositiveSmallIntegerField,
        models.BooleanField,
        models.DecimalField,
        models.DateField,
        models.DateTimeField,
        models.TimeField,
    }
)
"""By exact type: what a project's own subclass holds is for the project to say."""

SECRETIVE = frozenset({"auth", "sessions"})
"""Labels of apps of which only keys travel."""


def default_image_columns(model: type[Model]) -> frozenset[str]:
    """Return the attnames of the model's own columns that have images unless it is said not to."""
    keys = {field.attname for field in model._meta.pk_fields}
    return frozenset(
        field.attname
        for field in model._meta.local_concrete_fields
        if field.attname in keys or _has_image(field)
    )


def _has_image(field: Field[Any, Any]) -> bool:
    if isinstance(field, models.ForeignKey):
        return True
    if field.model._meta.app_label in SECRETIVE:
        return False
    if type(field) is models.CharField:
        return field.choices is not None
    return type(field) in KINDS
