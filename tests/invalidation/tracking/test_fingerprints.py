"""Fingerprints: processes with other declarations cause resets."""

from __future__ import annotations

import subprocess
import sys

import pytest

from invalidation import track
from invalidation.tracking.computed import read_computed
from invalidation.tracking.declarations import Declaration
from invalidation.tracking.fingerprints import EXTRA_KEY, fingerprint
from invalidation.tracking.foreign_code import ForeignCode
from invalidation.tracking.registry import declaration_of
from invalidation.tracking.templates import read_template
from realtime.backends.database import records
from realtime.backends.database.records import head_to_read_from
from realtime.messages.message import Message, Reset
from realtime.messages.topics import Topic
from tests.shop.models import Product, Shelf, Visit

MODEL = Topic("model:shop.product")


def by_year(product):
    """Return a topic."""
    return [f"year:{product.since}"]


def by_other_year(product):
    """Return a topic."""
    return [f"year:{product.since}0"]


def declared(*templates, function=None):
    """Return a declaration of products."""
    computed = (read_computed(function, Product, ["since"], ["year"]),) if function else ()
    return Declaration(Product, tuple(read_template(t, Product) for t in templates), computed)


ALIKE = declared("shelf:{shelf_id}", "maker:{maker}", function=by_year)


@pytest.mark.parametrize(
    "other",
    [
        declared("shelf:{shelf_id}", function=by_year),
        declared("shelf:{shelf_id}", "maker:{name}", function=by_year),
        declared("shelf:{shelf_id}", "maker:{maker}", "hidden:{hidden}", function=by_year),
        declared("shelf:{shelf_id}", "maker:{maker}"),
        declared("shelf:{shelf_id}", "maker:{maker}", function=by_other_year),
    ],
    ids=["fewer", "other column", "more", "no function", "other function"],
)
def test_other_rules_have_another_fingerprint(other):
    """Each difference that may change a row's topics changes the fingerprint."""
    assert fingerprint(other) != fingerprint(ALIKE)


def test_the_same_rules_have_the_same_fingerprint():
    """The order of declarations does not matter."""
    again = declared("maker:{maker}", "shelf:{shelf_id}", function=by_year)

    assert fingerprint(again) == fingerprint(ALIKE)


SAME = """
import django
django.setup()
from invalidation.tracking.fingerprints import fingerprint
from invalidation.tracking.registry import declarations
print(*sorted(d.label + fingerprint(d) for d in declarations()))
"""


def test_fingerprints_are_the_same_in_every_process():
    """They depend neither on salted hashes nor on the order of sets."""
    said = {
        subprocess.run(
            [sys.executable, "-c", SAME],
            env={"PYTHONHASHSEED": salt, "DJANGO_SETTINGS_MODULE": "tests.settings"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for salt in ("1", "2")
    }
    assert len(said) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("blindly", [True, False])
def test_each_change_of_a_model_bears_its_fingerprint(blindly, settings):
    """It is on the message to the model's own topic, which every change has."""
    if blindly:
        settings.INVALIDATION = {"MAX_ROWS": 1}
    start = head_to_read_from("default")
    Shelf.objects.bulk_create([Shelf(), Shelf()])

    (record,) = records.read_after(start, "default").records
    said = {
        m.topic: m.extra[EXTRA_KEY] for m in record.messages if m.extra and EXTRA_KEY in m.extra
    }

    assert said == {"model:shop.shelf": {"shop.shelf": fingerprint(declaration_of(Shelf))}}


def observe(extra, topic=MODEL):
    """Return the resets that the observer gives for a message."""
    return list(
        ForeignCode().observe(Message(topic, {"shop.product": {"1": "updated"}}, extra=extra))
    )


def test_a_foreign_fingerprint_resets_all_families_of_the_model():
    """The families are this process's: the other process may not have known them."""
    told = observe({EXTRA_KEY: {"shop.product": "of old code"}})

    families = declaration_of(Product).families
    assert {m.topic for m in told} == families - {MODEL}
    assert {m.reset for m in told} == {Reset.SERVER}


@pytest.mark.parametrize("reason", ["backend-restart", "history-expired", "overflow"])
def test_lost_messages_reset_families_as_if_they_were_foreign(reason):
    """A backend that lost the model's topic has lost fingerprints too, so families are reset."""
    told = list(ForeignCode().observe(Message(MODEL, reset=reason)))

    assert {m.topic for m in told} == declaration_of(Product).families - {MODEL}


def test_a_reset_by_hand_causes_no_other_resets():
    """A reset by hand, or of a topic that is no model's, causes no other resets."""
    assert not list(ForeignCode().observe(Message(MODEL, reset="server")))
    assert not list(ForeignCode().observe(Message(Topic("shelf:3"), reset="backend-restart")))


@pytest.mark.parametrize(
    "extra",
    [
        None,
        {},
        {"images": {}},
        {EXTRA_KEY: "nonsense"},
        {EXTRA_KEY: {"shop.unheard_of": "x"}},
        {EXTRA_KEY: {"shop.product": fingerprint(declaration_of(Product))}},
    ],
    ids=repr,
)
def test_any_other_message_causes_no_resets(extra):
    """Messages of the same code, of triggers, and of untracked models cause no resets."""
    assert observe(extra) == []


def test_every_models_topic_is_observed(declarations):
    """Every change has a message to its model's topic."""
    track(Visit, "page:{page}")

    assert {"model:shop.visit", MODEL} <= set(ForeignCode().topics())


def test_functions_may_be_of_any_kind():
    """A callable object has no `__code__`."""

    class ByYear:
        def __call__(self, product):
            return [f"year:{product.since}"]

    assert fingerprint(declared(function=ByYear())) == fingerprint(declared(function=ByYear()))
