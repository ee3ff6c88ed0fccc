"""Topic templates like `"list:{list_id}"`: parsed, checked against the model, filled by rows."""

from __future__ import annotations

from dataclasses import dataclass
from string import Formatter
from typing import Any

from django.db.models import Field, Model

from invalidation.changes import Image
from invalidation.exceptions import BadDeclaration
from realtime.messages.topics import Topic

RESERVED_FAMILIES = frozenset({"model", "object"})


@dataclass(frozen=True, slots=True)
class Template:
    """A family, and for each part of the key a literal text or a Column."""

    family: Topic
    parts: tuple[str | Column, ...]

    @property
    def columns(self) -> frozenset[str]:
        """The attnames of the columns that the template needs."""
        return frozenset(part.attname for part in self.parts if isinstance(part, Column))

    def __str__(self) -> str:
        parts = (f"{{{p.attname}}}" if isinstance(p, Column) else p for p in self.parts)
        return f"{self.family}{'/'.join(parts)}"

    def fill(self, row: Image) -> Topic | None:
        """Return the row's topic; None if a column of the template is null or empty."""
        parts = [row[p.attname] if isinstance(p, Column) else p for p in self.parts]
        if None in parts or "" in parts:
            return None
        return self.family.with_parts(*parts)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a template, by attname; a literal part is a plain `str`."""

    attname: str


def read_template(text: str, model: type[Model]) -> Template:
    """Parse a template for `model`; raise BadDeclaration if it does not fit the model."""
    family, colon, key = text.partition(":")
    if not colon or not key:
        raise BadDeclaration(
            f"track({model.__name__}): expected a template like 'list:{{list_id}}', got {text!r}"
        )
    if family in RESERVED_FAMILIES:
        raise BadDeclaration(
            f"track({model.__name__}): the family {family!r} in {text!r} is made for every tracked"
            " model by itself; choose another name"
        )
    try:
        parts = tuple(_read_part(part, text, model) for part in key.split("/"))
        return Template(Topic.of(family), parts)
    except ValueError as error:
        raise BadDeclaration(f"track({model.__name__}): in {text!r}: {error}") from error


def _read_part(part: str, text: str, model: type[Model]) -> str | Column:
    pieces = list(Formatter().parse(part))
    if all(name is None for _, name, _, _ in pieces):
        literal = "".join(piece for piece, *_ in pieces)
        Topic.of("literal", literal)
        return literal
    literal, name, spec, conversion = pieces[0]
    if len(pieces) > 1 or literal or spec or conversion or name is None:
        raise BadDeclaration(
            f"track({model.__name__}): expected each part of a key to be a literal or one"
            f" {{field}}, got {part!r} in {text!r}"
        )
    return Column(check_column(name, text, model))


def check_column(name: str, text: str, model: type[Model]) -> str:
    """Return `name` if it is the attname of a column of the model's own table; else raise."""
    columns: dict[str, Field[Any, Any]] = {f.attname: f for f in model._meta.local_concrete_fields}
    if name in columns:
        return name
    inherited = {f.attname: f for f in model._meta.concrete_fields}
    by_name = {f.name: f.attname for f in model._meta.concrete_fields}
    if name in inherited:
        parent = inherited[name].model.__name__
        hint = f"it is a column of the parent table: track {parent} with this topic"
    elif name == "pk" or name in by_name:
        hint = f"write {{{model._meta.pk.attname if name == 'pk' else by_name[name]}}}"
    else:
        hint = f"its columns are {', '.join(sorted(columns))}"
    raise BadDeclaration(
        f"track({model.__name__}): {text!r} names {name!r}, which is not a column of"
        f" {model._meta.label}; {hint}"
    )
