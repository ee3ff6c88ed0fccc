"""Computed topics: functions from a row to its topics."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Model

from invalidation.changes import Image
from invalidation.exceptions import BadDeclaration, NotRead
from invalidation.tracking.templates import RESERVED_FAMILIES, check_column
from realtime.messages.topics import Topic

TopicFunction = Callable[[Any], Iterable[str]]


class FrozenRow:
    """The row that a topic function receives: the columns that it declared, read-only.

    A function can therefore be applied to the row before a change too. A relation that it would
    follow, or an undeclared column, raises NotRead instead of leaving a change unpublished.
    """

    __slots__ = ("_image", "_label")

    def __init__(self, image: Image, label: str) -> None:
        object.__setattr__(self, "_image", image)
        object.__setattr__(self, "_label", label)

    def __getattr__(self, name: str) -> Any:
        try:
            return self._image[name]
        except KeyError:
            raise NotRead(
                f"a topic function of {self._label} read {name!r}, expected only columns that"
                f" `reads` declares: {sorted(self._image)}"
            ) from None

    def __setattr__(self, name: str, value: object) -> None:
        raise NotRead(f"a topic function of {self._label} may not set {name!r}: the row is frozen")

    def __repr__(self) -> str:
        return f"<row of {self._label}: {dict(self._image)!r}>"


@dataclass(frozen=True, slots=True)
class Computed:
    """A topic function, the columns that it reads and the families of its topics."""

    function: TopicFunction
    columns: frozenset[str]
    families: frozenset[Topic]
    label: str

    def fill(self, row: Image) -> set[Topic]:
        """Return the row's topics; raise BadDeclaration for one of an undeclared family."""
        frozen = FrozenRow({column: row[column] for column in self.columns}, self.label)
        topics = {Topic(topic) for topic in self.function(frozen)}
        for topic in topics:
            if topic.family not in self.families or topic.is_family:
                raise BadDeclaration(
                    f"the topic function of {self.label} gave {topic!r}, expected topics of its"
                    f" declared families {sorted(self.families)}"
                )
        return topics


def read_computed(
    function: TopicFunction, model: type[Model], reads: Iterable[str], families: Iterable[str]
) -> Computed:
    """Check the arguments of `track()` for a topic function, or raise BadDeclaration."""
    what = f"reads= of {getattr(function, '__qualname__', function)!s}"
    columns = frozenset(check_column(name, what, model) for name in reads)
    names = frozenset(families)
    if not names or names & RESERVED_FAMILIES:
        raise BadDeclaration(
            f"track({model.__name__}): expected families=[…] to name every family that the topic"
            f" function may give, other than {sorted(RESERVED_FAMILIES)}, got {sorted(names)}"
        )
    try:
        topics = frozenset(map(Topic.of, names))
    except ValueError as error:
        raise BadDeclaration(f"track({model.__name__}): in families=: {error}") from error
    return Computed(function, columns, topics, model._meta.label)
