"""What is tracked: `track()` and the declarations that it leaves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from django.db.models import Model

from invalidation.computed import Computed, TopicFunction, read_computed
from invalidation.exceptions import BadDeclaration
from invalidation.templates import Template, read_template
from realtime.topics import Topic


@dataclass(frozen=True, slots=True)
class Declaration:
    """What one tracked model's rows belong to."""

    model: type[Model]
    templates: tuple[Template, ...] = ()
    computed: tuple[Computed, ...] = ()

    @property
    def label(self) -> str:
        """The model's label as it stands in messages and topics: `app.model`."""
        return self.model._meta.label_lower

    @property
    def columns(self) -> frozenset[str]:
        """The columns that its topics depend on."""
        rules: tuple[Template | Computed, ...] = (*self.templates, *self.computed)
        return frozenset[str]().union(*(rule.columns for rule in rules))

    @property
    def model_topic(self) -> Topic:
        """The topic of all its rows."""
        return Topic.of("model", self.label)

    @property
    def object_family(self) -> Topic:
        """The family of its rows' own topics."""
        return Topic(f"object:{self.label}/")

    @property
    def families(self) -> frozenset[Topic]:
        """Every topic that must be reset when it is not known which rows changed."""
        declared = {template.family for template in self.templates}
        return frozenset(
            declared.union(
                {self.model_topic, self.object_family}, *(rule.families for rule in self.computed)
            )
        )


_declarations: dict[type[Model], Declaration] = {}


def track(
    model: type[Model],
    *topics: str | TopicFunction,
    reads: Iterable[str] = (),
    families: Iterable[str] = (),
) -> None:
    """Declare which topics the rows of `model` belong to; call it in an app's live.py.

    A topic is a template, `"list:{list_id}"`, whose fields are columns of the model's own table by
    attname; or a function from a frozen row, holding only the columns `reads`, to topics of the
    `families`. Every tracked row also belongs to `model:app.model` and `object:app.model/pk`.
    Called again for a model, it adds to what is declared. Raise BadDeclaration, naming field and
    model, for what cannot be kept.
    """
    concrete = _concrete(model)
    templates = tuple(read_template(t, concrete) for t in topics if isinstance(t, str))
    read, named = _names(model, reads), _names(model, families)
    functions = [_function(model, t) for t in topics if not isinstance(t, str)]
    computed = tuple(read_computed(f, concrete, read, named) for f in functions)
    known = _declarations.get(concrete, Declaration(concrete))
    _declarations[concrete] = replace(
        known,
        templates=tuple(dict.fromkeys((*known.templates, *templates))),
        computed=(*known.computed, *computed),
    )


def declaration_of(model: type[Model]) -> Declaration | None:
    """Return what was declared of a model, asked by itself or one of its proxies."""
    return _declarations.get(model._meta.concrete_model)  # type: ignore[arg-type]


def declarations() -> tuple[Declaration, ...]:
    """Return all that was declared."""
    return tuple(_declarations.values())


def _names(model: type[Model], given: Iterable[str]) -> tuple[str, ...]:
    # A text would be read as its letters.
    if isinstance(given, str):
        raise BadDeclaration(f"track({model.__name__}): expected a list of names, got {given!r}")
    return tuple(given)


def _function(model: type[Model], given: TopicFunction) -> TopicFunction:
    if not callable(given):
        raise BadDeclaration(
            f"track({model.__name__}): expected templates or functions, got {given!r}"
        )
    return given


def _concrete(model: type[Model]) -> type[Model]:
    if not (isinstance(model, type) and issubclass(model, Model)):
        raise BadDeclaration(f"track(): expected a model class, got {model!r}")
    concrete = model._meta.concrete_model
    if concrete is None or model._meta.abstract:
        raise BadDeclaration(f"track({model.__name__}): expected a model with a table of its own")
    return concrete
