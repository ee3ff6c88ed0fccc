"""Track every model: all of its own columns have images, and its keys have topics too."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import models
from django.db.models import Model

from invalidation import track
from invalidation.exceptions import BadDeclaration
from invalidation.tracking.registry import plan_of

_OURS = "realtime"
_TOPICS = (models.ForeignKey, models.IntegerField, models.AutoField, models.BooleanField)


def track_every_model() -> None:
    """Track the models of the installed apps, with the through tables that Django makes."""
    for model in apps.get_models(include_auto_created=True):
        track_model(model)


def track_model(model: type[Model]) -> bool:
    """Track a model, unless its table is tracked already; return True if the table is tracked.

    The models of migrations stand for tables whose model is tracked, or which come and go.
    """
    opts = model._meta
    if opts.app_label == _OURS or model.__module__ == "__fake__" or opts.proxy or opts.abstract:
        return False
    if (plan := plan_of(model)) and plan.declaration:
        return True
    columns = [field.attname for field in opts.local_concrete_fields]
    try:
        track(model, *map(_topic, filter(_has_topic, opts.local_concrete_fields)), images=columns)
    except BadDeclaration:
        return False
    return True


def _has_topic(field: Any) -> bool:
    return isinstance(field, _TOPICS) and not isinstance(field, models.GeneratedField)


def _topic(field: Any) -> str:
    return f"suite.{field.model._meta.label_lower}.{field.attname}:{{{field.attname}}}"
