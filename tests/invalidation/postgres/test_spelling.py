"""SQL spells topics and keys exactly as Python does: on random rows, with Python as the oracle."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, models
from django.test import override_settings
from django.test.utils import isolate_apps
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invalidation.changes import Change, pk_text
from invalidation.tracking.declarations import Declaration
from invalidation.tracking.matching import messages_for
from invalidation.tracking.templates import read_template
from invalidation.tracking.write_plans import WritePlan
from invalidation.triggers.helpers import create_helpers
from invalidation.triggers.operations import SetTriggers
from invalidation.triggers.spelling import is_spelled
from invalidation.triggers.tables import create_triggers, drop_triggers
from realtime.models import StoredRecord
from tests.invalidation.postgres.other_program import connected, installed
from tests.invalidation.told import _all_records, lines_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
SMALL = st.integers(-(2**15), 2**15 - 1)
DECIMALS = st.decimals(-9999, 9999, places=2) | st.sampled_from([Decimal("0.00"), Decimal("-0.01")])
TINY = st.decimals(-99, 99, places=6) | st.sampled_from([Decimal("0.000001"), Decimal("0E-6")])
MOMENTS = st.datetimes(timezones=st.just(dt.UTC))

with isolate_apps("tests.shop"):

    class Sample(models.Model):
        """A column of each type that topics can have."""

        whole = models.BigIntegerField(null=True)
        small = models.SmallIntegerField(null=True)
        text = models.TextField(null=True)
        short = models.CharField(max_length=12, null=True)
        yes = models.BooleanField(null=True)
        code = models.UUIDField(null=True)
        price = models.DecimalField(max_digits=8, decimal_places=2, null=True)
        tiny = models.DecimalField(max_digits=9, decimal_places=6, null=True)
        day = models.DateField(null=True)
        hour = models.TimeField(null=True)
        moment = models.DateTimeField(null=True)

        class Meta:
            app_label = "shop"

    class Composed(models.Model):
        """A key of each type that keys can have."""

        pk = models.CompositePrimaryKey(
            "whole", "text", "yes", "code", "price", "day", "hour", "moment"
        )
        whole = models.BigIntegerField()
        text = models.TextField()
        yes = models.BooleanField()
        code = models.UUIDField()
        price = models.DecimalField(max_digits=8, decimal_places=2)
        day = models.DateField()
        hour = models.TimeField()
        moment = models.DateTimeField()

        class Meta:
            app_label = "shop"

    class Unspelled(models.Model):
        """A column of each type that SQL spells differently, or may."""

        number = models.FloatField()
        smallest = models.DecimalField(max_digits=9, decimal_places=7)
        any_number = models.DecimalField()
        length = models.DurationField()
        data = models.JSONField()
        bytes = models.BinaryField()
        address = models.GenericIPAddressField()

        class Meta:
            app_label = "shop"


VALUES = {
    "whole": INTEGERS,
    "small": SMALL,
    "text": TEXTS,
    "short": TEXTS,
    "yes": st.booleans(),
    "code": st.uuids(),
    "price": DECIMALS,
    "tiny": TINY,
    "day": st.dates(),
    "hour": st.times(),
    "moment": MOMENTS,
}
SAMPLES = st.fixed_dictionaries({name: st.none() | value for name, value in VALUES.items()})
KEYS = st.fixed_dictionaries({name: VALUES[name] for name in Composed._meta.pk.field_names})
TEMPLATES = [
    *(f"{name}:{{{name}}}" for name in VALUES),
    "two:{text}/it's %2F/{short}".replace("'s %2F", ""),
]

UNTIED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def declared(model, *templates):
    """Return a declaration of a model's topics that is not registered."""
    return Declaration(model, tuple(read_template(t, model) for t in templates))


SAMPLE, COMPOSED = declared(Sample, *TEMPLATES), declared(Composed, "text:{text}")


@pytest.fixture(scope="module", autouse=True)
def tables(django_db_setup, django_db_blocker):
    """Create the tables and their triggers."""
    helpers = [create_helpers()]
    # The helpers of the demo's migrations stay.
    triggers = [SetTriggers("realtime.storedrecord", "", helpers, helpers)]
    for declaration in (SAMPLE, COMPOSED):
        table = declaration.model._meta.db_table
        made = [create_triggers(WritePlan(declaration.model, declaration))]
        triggers.append(SetTriggers(declaration.label, table, made, [drop_triggers(table)]))
    with django_db_blocker.unblock():
        with connection.schema_editor() as editor:
            editor.create_model(Sample)
            editor.create_model(Composed)
        with installed(triggers):
            yield
        with connection.schema_editor() as editor:
            editor.delete_model(Sample)
            editor.delete_model(Composed)


@pytest.fixture
def program():
    """Connect another program, with session settings of its own."""
    with connected(options="-c timezone=Asia/Kathmandu -c datestyle=SQL,DMY") as program:
        yield program


def insert(program, model, row):
    """Insert a row as another program."""
    table, names = model._meta.db_table, ", ".join(row)
    places = ", ".join(["%s"] * len(row))
    program.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", list(row.values()))


def rows_of(declaration):
    """Return each row as the ORM reads it, by key."""
    columns = sorted(declaration.columns)
    rows = declaration.model._base_manager.values_list("pk", *columns)
    return {pk: dict(zip(columns, values, strict=True)) for pk, *values in rows}


def told_by_python(declaration, before, after):
    """Return the messages that Python makes of two states of a table."""
    changes = [
        Change(declaration.model, pk_text(pk), before.get(pk), after.get(pk))
        for pk in before | after
    ]
    messages = messages_for(changes, {declaration.model: declaration}.get)
    return set().union(*map(lines_of, messages))


def told_by_triggers():
    """Return the messages of the stored records, and delete the records."""
    told = {
        line
        for record in _all_records()
        for message in record.messages
        for line in lines_of(message)
    }
    StoredRecord.objects.all().delete()
    return told


@UNTIED
@given(SAMPLES, SAMPLES)
def test_topics_are_spelled_as_python_does(program, first, second):
    """Rows with values of every type are inserted, updated and deleted."""
    empty_tables(program)
    insert(program, Sample, first)
    inserted = rows_of(SAMPLE)
    assert told_by_triggers() == told_by_python(SAMPLE, {}, inserted)

    changes = ", ".join(f"{name} = %s" for name in second)
    program.execute(f"UPDATE shop_sample SET {changes}", list(second.values()))
    changed = rows_of(SAMPLE)
    assert told_by_triggers() == told_by_python(SAMPLE, inserted, changed)

    program.execute("DELETE FROM shop_sample")
    assert told_by_triggers() == told_by_python(SAMPLE, changed, {})


@UNTIED
@given(KEYS)
def test_composite_keys_are_spelled_as_python_does(program, key):
    """Both in topics and as the row's key."""
    empty_tables(program)

    insert(program, Composed, key)

    (pk,) = rows_of(COMPOSED)
    told = told_by_triggers()
    assert told == told_by_python(COMPOSED, {}, {pk: {"text": key["text"]}})
    assert any(f" shop.composed {pk_text(pk)} entered" in line for line in told)
    assert len(json.loads(pk_text(pk))) == len(key)


def empty_tables(program):
    """Empty the tables before an example."""
    program.execute("TRUNCATE shop_sample, shop_composed")
    StoredRecord.objects.all().delete()


def test_every_column_of_the_sample_is_spelled():
    """Otherwise the tests above would prove nothing."""
    fields = Sample._meta.local_concrete_fields

    assert all(is_spelled(field) for field in fields)
    assert {field.name for field in fields} == {*VALUES, "id"}


@pytest.mark.parametrize("name", [f.name for f in Unspelled._meta.local_concrete_fields[1:]])
def test_types_that_python_shows_in_another_way_are_not_spelled(name):
    """Their families are reset."""
    assert not is_spelled(Unspelled._meta.get_field(name))


class Shouted(models.CharField):
    """A field whose text in Python differs from the database's."""

    def from_db_value(self, value, expression, connection):
        """Return the text in upper case."""
        return value.upper()


@isolate_apps("tests.shop")
def test_field_that_converts_what_it_reads_is_not_spelled():
    """A foreign key to such a field is not spelled either."""

    class Loud(models.Model):
        key = Shouted(max_length=5, primary_key=True)

        class Meta:
            app_label = "shop"

    class Louder(models.Model):
        loud = models.ForeignKey(Loud, models.CASCADE)

        class Meta:
            app_label = "shop"

    assert not is_spelled(Loud._meta.get_field("key"))
    assert not is_spelled(Louder._meta.get_field("loud"))


@override_settings(USE_TZ=False)
def test_moments_without_a_time_zone_are_not_spelled():
    """Python shows them in the project's time zone."""
    assert not is_spelled(Sample._meta.get_field("moment"))


def test_moments_of_a_connection_with_a_time_zone_are_not_spelled(monkeypatch):
    """Python shows them in the connection's time zone."""
    with monkeypatch.context() as patch:
        patch.setattr(connection, "timezone", ZoneInfo("Asia/Kathmandu"))
        assert not is_spelled(Sample._meta.get_field("moment"))

    assert is_spelled(Sample._meta.get_field("moment"))


def test_key_that_is_not_spelled_resets_every_family():
    """Without a key there are no row messages."""

    @isolate_apps("tests.shop")
    def model():
        class Measured(models.Model):
            length = models.FloatField(primary_key=True)
            name = models.TextField()

            class Meta:
                app_label = "shop"

        return Measured

    measured = model()
    sql = create_triggers(WritePlan(measured, declared(measured, "name:{name}")))

    assert "payload := everything" in sql
    assert "livequery_text" not in sql
