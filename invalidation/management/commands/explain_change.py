"""`manage.py explain_change app.Model pk`: which topics receive a change of a row, and why."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.apps import apps
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.core.management import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS

from invalidation.exceptions import NotTracked
from invalidation.tracking.explain import explain


class Command(BaseCommand):
    """Print the topics that receive a change of one row, and the rules that give them."""

    help = "Print the topics that receive a change of one row, and the rules that give them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the arguments: a model, a key and a database."""
        parser.add_argument("model", help="app.Model")
        parser.add_argument("pk", help="its primary key; a composite one as JSON")
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, help="the database's alias")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print one line a rule."""
        try:
            model = apps.get_model(options["model"])
        except (LookupError, ValueError) as error:
            raise CommandError(f"expected a model like app.Model: {error}") from error
        try:
            reasons = explain(model, _key(options["pk"], model), options["database"])
        except NotTracked as error:
            raise CommandError(str(error)) from error
        except (ObjectDoesNotExist, ValidationError, ValueError, TypeError) as error:
            raise CommandError(f"no {model._meta.label} {options['pk']!r}: {error}") from error
        width = max(len(str(reason.topic or "-")) for reason in reasons)
        for reason in reasons:
            self.stdout.write(f"{reason.topic or '-':<{width}}  {reason.rule}")


def _key(text: str, model: Any) -> object:
    if not model._meta.is_composite_pk:
        return text
    return tuple(json.loads(text))
