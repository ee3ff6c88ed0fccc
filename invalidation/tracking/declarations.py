"""What one tracked model's rows belong to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from django.db.models import Model

from invalidation.tracking.computed import Computed
from invalidation.tracking.image_columns import default_image_columns
from invalidation.tracking.templates import Template
from realtime.messages.topics import Topic


@dataclass(frozen=True)
class End:
    """One end of a many-to-many relation, as a row of its through table names it.

    `column` holds the key of a row of the model `label`, whose own topic hears of the through row.
    """

    column: str
    label: str

    @cached_property
    def family(self) -> Topic:
        """The family of the topics of the end's rows."""
        return object_family(self.label)


@dataclass(frozen=True)
class Declaration:
    """What the rows of `model` belong to. Its properties are worked out once.

    `extra_images` are the columns named by `track(images=…)`; None takes out all images.
    """

    model: type[Model]
    templates: tuple[Template, ...] = ()
    computed: tuple[Computed, ...] = ()
    extra_images: frozenset[str] | None = frozenset()
    ends: tuple[End, ...] = ()

    @cached_property
    def label(self) -> str:
        """The model's label as it stands in messages and topics: `app.model`."""
        return self.model._meta.label_lower

    @cached_property
    def image_columns(self) -> frozenset[str]:
        """The columns whose values travel between the servers."""
        if self.extra_images is None:
            return frozenset()
        return default_image_columns(self.model) | self.extra_images

    @cached_property
    def columns(self) -> frozenset[str]:
        """The columns to read: those that its topics depend on, and those that have images."""
        rules: tuple[Template | Computed, ...] = (*self.templates, *self.computed)
        ends = {end.column for end in self.ends}
        return self.image_columns.union(ends, *(rule.columns for rule in rules))

    @cached_property
    def model_topic(self) -> Topic:
        """The topic of all its rows."""
        return Topic.of("model", self.label)

    @cached_property
    def object_family(self) -> Topic:
        """The family of its rows' own topics."""
        return object_family(self.label)

    @cached_property
    def families(self) -> frozenset[Topic]:
        """Every topic that must be reset when it is not known which rows changed."""
        declared = {template.family for template in self.templates}
        own = {self.model_topic, self.object_family}
        ends = {end.family for end in self.ends}
        return frozenset(declared.union(own, ends, *(rule.families for rule in self.computed)))


def object_family(label: str) -> Topic:
    """Return the family of the topics of single rows of a model."""
    return Topic(f"object:{label}/")
