"""The works measured: each takes a model, an alias and a number, and yields that many writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

Write = Callable[[], Any]
Prepare = Callable[[Any, str, int], Iterator[Write]]

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Work:
    """An operation on rows of a table, and its target ratios by vendor."""

    name: str
    prepare: Prepare
    targets: dict[str, float]
    writes: int = 20
    """Writes in a turn."""


LISTS = 100
PEOPLE = 100


def new_rows(model: Any, many: int) -> list[Any]:
    return [model(**_values(number)) for number in range(many)]


def _values(number: int) -> dict[str, Any]:
    return {
        "list_id": number % LISTS + 1,
        "assignee_id": number % PEOPLE + 1,
        "title": f"Task {number}",
        "position": number,
        "note": "Something to remember about it. " * 3,
    }


def _create(model: Any, alias: str, many: int) -> Iterator[Write]:
    for number in range(many):
        yield partial(model.objects.using(alias).create, **_values(number))


def _save(model: Any, alias: str, many: int) -> Iterator[Write]:
    for row in list(model.objects.using(alias).order_by("pk")[:many]):
        row.position += 1
        yield row.save


def _save_20(model: Any, alias: str, many: int) -> Iterator[Write]:
    from django.db import transaction

    def save(saves: list[Write]) -> None:
        with transaction.atomic(using=alias):
            for each in saves:
                each()

    for _ in range(many):
        yield partial(save, list(_save(model, alias, 20)))


def _delete(model: Any, alias: str, many: int) -> Iterator[Write]:
    from invalidation import quiet

    with quiet(reset=False):
        rows = model.objects.using(alias).bulk_create(new_rows(model, many))
    for row in rows:
        yield row.delete


def _update_1(model: Any, alias: str, many: int) -> Iterator[Write]:
    rows = model.objects.using(alias)
    for number in range(many):
        yield lambda pk=number + 1: rows.filter(pk=pk).update(position=next(_numbers))


def _update(rows: int) -> Prepare:
    def prepare(model: Any, alias: str, many: int) -> Iterator[Write]:
        first = model.objects.using(alias).filter(pk__lte=rows)
        for _ in range(many):
            yield partial(first.update, position=next(_numbers))

    return prepare


def _bulk_create(model: Any, alias: str, many: int) -> Iterator[Write]:
    for _ in range(many):
        yield partial(model.objects.using(alias).bulk_create, new_rows(model, 10_000))


WORKS = (
    Work("create", _create, {"sqlite": 1.3, "postgresql": 1.3}),
    Work("save", _save, {"sqlite": 1.6, "postgresql": 1.4}),
    Work("save-20", _save_20, {}, writes=5),
    Work("delete", _delete, {"sqlite": 1.15, "postgresql": 1.15}),
    Work("update-1", _update_1, {}),
    Work("update-10000", _update(10_000), {}, writes=1),
    Work("update-100000", _update(100_000), {"sqlite": 1.2, "postgresql": 1.1}, writes=1),
    Work("bulk-create-10000", _bulk_create, {}, writes=1),
)
