"""The columns that have images: their values before and after a change travel between the servers.

Clients never receive them. The default columns identify and classify rows: foreign keys, integers,
booleans, decimals, dates, times, and texts with `choices`. Free text, JSON, files and binary data
are left out. Of the apps that hold passwords and sessions only keys have images.
`track(…, images=["name"])` adds columns, `images=False` removes all.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Field, Model

IMAGE_FIELDS: frozenset[type[Field[Any, Any]]] = frozenset(
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
"""Field classes that have images, compared exactly: subclasses of a project need `images=`."""

KEYS_ONLY_APPS = frozenset({"auth", "sessions"})
"""Labels of the apps whose models have images of their keys only."""


def default_image_columns(model: type[Model]) -> frozenset[str]:
    """Return the attnames of the model's own columns that have images by default."""
    keys = {field.attname for field in model._meta.pk_fields}
    return frozenset(
        field.attname
        for field in model._meta.local_concrete_fields
        if field.attname in keys or _has_image(field)
    )


def _has_image(field: Field[Any, Any]) -> bool:
    if isinstance(field, models.ForeignKey):
        return True
    if field.model._meta.app_label in KEYS_ONLY_APPS:
        return False
    if type(field) is models.CharField:
        return field.choices is not None
    return type(field) in IMAGE_FIELDS
