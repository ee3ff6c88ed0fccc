"""The declaration of one tracked model: its topics, and the columns that are read for them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from django.db.models import Model

from invalidation.tracking.computed import Computed
from invalidation.tracking.image_columns import default_image_columns
from invalidation.tracking.templates import Template
from realtime.messages.topics import Topic


@dataclass(frozen=True)
class RelationEnd:
    """One end of a many-to-many relation: a foreign key of its through table.

    `column` holds the key of a row of the model `label`. A change of the through row is published
    to that row's own topic.
    """

    column: str
    label: str

    @cached_property
    def family(self) -> Topic:
        """The family of the own topics of the rows at this end."""
        return object_family(self.label)


@dataclass(frozen=True)
class Declaration:
    """The topics and images of the rows of `model`. Its properties are computed once.

    `extra_images` are the columns named by `track(images=…)`; None means no images at all.
    """

    model: type[Model]
    templates: tuple[Template, ...] = ()
    computed: tuple[Computed, ...] = ()
    extra_images: frozenset[str] | None = frozenset()
    ends: tuple[RelationEnd, ...] = ()

    @cached_property
    def label(self) -> str:
        """The model's label in messages and topics: `app.model` in lower case."""
        return self.model._meta.label_lower

    @cached_property
    def image_columns(self) -> frozenset[str]:
        """The columns whose values before and after a change travel between the servers."""
        if self.extra_images is None:
            return frozenset()
        return default_image_columns(self.model) | self.extra_images

    @cached_property
    def columns(self) -> frozenset[str]:
        """The columns to read at a write: those of topics, relation ends and images."""
        rules: tuple[Template | Computed, ...] = (*self.templates, *self.computed)
        ends = {end.column for end in self.ends}
        return self.image_columns.union(ends, *(rule.columns for rule in rules))

    @cached_property
    def model_topic(self) -> Topic:
        """The topic of all rows of the model."""
        return Topic.of("model", self.label)

    @cached_property
    def object_family(self) -> Topic:
        """The family of the own topics of single rows."""
        return object_family(self.label)

    @cached_property
    def families(self) -> frozenset[Topic]:
        """The topics to reset when the changed rows are unknown."""
        declared = {template.family for template in self.templates}
        own = {self.model_topic, self.object_family}
        ends = {end.family for end in self.ends}
        return frozenset(declared.union(own, ends, *(rule.families for rule in self.computed)))


def object_family(label: str) -> Topic:
    """Return the family of the own topics of a model's rows."""
    return Topic(f"object:{label}/")
