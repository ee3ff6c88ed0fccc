"""Django still writes in the ways that are captured, and in no others."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Awaitable, Iterator
from inspect import isawaitable
from pathlib import Path

import django
import pytest
from asgiref.sync import async_to_sync
from django.contrib.contenttypes.models import ContentType

from invalidation.tracking import registry as tracking
from tests.invalidation.capture.canary.cases import WRITES, Call, Case, World
from tests.invalidation.capture.canary.names import OWNERS, READS, SINCE, UNTIL
from tests.shop.models import Product, Tag

PYPROJECT = Path(__file__).parents[4] / "pyproject.toml"
HERE = django.VERSION[:2]


def writes_of(owner: str) -> dict[str, Case]:
    """Return the cases by name, async twins included, for all Django versions."""
    cases = WRITES[owner]
    sync = {"save_base", "set_base", "set_sign_order"}
    return cases | {f"a{name}": case for name, case in cases.items() if name not in sync}


@pytest.mark.parametrize("owner", OWNERS)
def test_every_method_is_known(owner):
    """A new method must be listed before its Django is supported."""
    new = OWNERS[owner]() - READS[owner] - {*writes_of(owner)}

    assert not new, (
        f"Django {django.__version__} has methods of {owner} that are in no list:"
        f" {sorted(new)}. Give each that writes a case in cases.py; list the others in names.READS,"
        " and those that older versions lack in names.SINCE."
    )


@pytest.mark.parametrize("owner", OWNERS)
def test_every_known_method_is_there(owner):
    """A removed method must leave the lists."""
    listed = READS[owner] | {*writes_of(owner)}
    expected = {n for n in listed if SINCE.get(n, HERE) <= HERE < UNTIL.get(n, (99, 0))}

    assert expected <= OWNERS[owner](), (
        f"Django {django.__version__} has no methods of {owner} named"
        f" {sorted(expected - OWNERS[owner]())}: say in names.UNTIL since which version, or strike"
        " them if no supported version has them."
    )
    assert not (listed - expected) & OWNERS[owner](), "names.SINCE or names.UNTIL is wrong"


def test_no_unsupported_version_is_listed():
    """A method that all supported Djangos have, or none has, needs no version."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    (needed,) = (text for text in project["dependencies"] if text.startswith("Django"))
    oldest = tuple(map(int, re.search(r">=(\d+)\.(\d+)", needed).groups()))

    assert {n: v for n, v in (SINCE | UNTIL).items() if v <= oldest} == {}


def _runs() -> Iterator[tuple[str, str]]:
    for owner in WRITES:
        there = OWNERS[owner]()
        yield from ((owner, name) for name in writes_of(owner) if name in there)
    managers = set(dir(Product.objects))
    yield from (("Manager", name) for name in writes_of("QuerySet") if name in managers)


@pytest.fixture
def world(shelves, lamp, told, monkeypatch) -> World:
    """Return the first rows."""
    known = dict(tracking.registry.declarations)
    monkeypatch.setattr(tracking, "registry", tracking.Registry(known))
    tracking.track(Tag, "about:{content_type_id}/{object_id}")
    kind = ContentType.objects.get_for_model(Product).pk
    tag = Tag.objects.create(name="x")
    told.records()
    return World(shelves, lamp, tag, f"about:{kind}/1", Product.objects.all(), told)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("owner", "name"), [*_runs()])
def test_writes_of_a_method_are_told(owner, name, world):
    """All of its writes, with both states of the rows, and no others."""
    if owner == "Manager":
        world.rows = Product.objects
    case = writes_of("QuerySet" if owner == "Manager" else owner)[name]

    expected = case(world, _call_of(name))

    assert set().union(*world.told.records()) == expected


async def _wait(result: Awaitable[object]) -> object:
    return await result


def _call_of(name: str) -> Call:
    def call(thing, *args, **kwargs):
        result = getattr(thing, name)(*args, **kwargs)
        return async_to_sync(_wait)(result) if isawaitable(result) else result

    return call
