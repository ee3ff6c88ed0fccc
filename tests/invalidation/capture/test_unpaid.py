"""Untracked models cost nothing: the statements are Django's own, and no signals are connected."""

from __future__ import annotations

import re

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.core.cache.backends.db import DatabaseCache
from django.core.management import call_command
from django.db import connection
from django.db.models import signals
from django.db.models.deletion import Collector
from django.db.models.sql import compiler
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from invalidation.transactions.journal import journal_of
from tests.shop.models import Sticker, Visit

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def seamless(monkeypatch):
    """Return a function that runs another with Django's own, unwrapped methods."""

    def run(write):
        with pytest.MonkeyPatch.context() as patch:
            for name in ("SQLInsertCompiler", "SQLUpdateCompiler", "SQLDeleteCompiler"):
                writer = getattr(compiler, name)
                for method in ("execute_sql", "execute_returning_sql"):
                    if own := getattr(getattr(writer, method, None), "__wrapped__", None):
                        patch.setattr(writer, method, own)
            return statements_of(write)

    return run


def statements_of(write):
    """Return the statements that `write` runs, without their values."""
    with CaptureQueriesContext(connection) as queries:
        write()
    return [re.sub(r"'[^']*'|\d+", "?", query["sql"]) for query in queries]


def write_visits():
    """Write to an untracked model in every usual way."""
    visit = Visit.objects.create(page="a")
    visit.save()
    Visit.objects.bulk_create([Visit(), Visit()])
    Visit.objects.bulk_update([visit], ["page"])
    Visit.objects.update_or_create(pk=visit.pk, defaults={"page": "b"})
    Visit.objects.update(page="c")
    visit.delete()
    Visit.objects.all().delete()


def write_sessions():
    """Begin a session, change it, and end it."""
    session = SessionStore()
    session["cart"] = 1
    session.save()
    session["cart"] = 2
    session.save()
    session.delete()


def write_cache():
    """Set, change and delete entries of the database cache."""
    cache = DatabaseCache("cached", {})
    cache.set("a", 1)
    cache.set("a", 2)
    cache.incr("a")
    cache.delete("a")


@pytest.fixture
def cache_table(transactional_db):
    """Create the cache's table."""
    setting = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache"}}
    setting["default"]["LOCATION"] = "cached"
    with override_settings(CACHES=setting):
        call_command("createcachetable", verbosity=0)
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE cached")


@pytest.mark.usefixtures("cache_table")
@pytest.mark.parametrize("write", [write_visits, write_sessions, write_cache])
def test_untracked_writes_are_djangos_own(write, seamless, told):
    """No statement, transaction, record or journal entry is added."""
    write()  # work that is done once

    assert statements_of(write) == seamless(write)
    assert told.records() == []
    assert journal_of(connection).entries() == ()


@pytest.mark.parametrize("model", [Visit, Sticker], ids=["untracked", "tracked"])
def test_fast_deletes_stay_fast(model):
    """Receivers of delete signals would switch them off; there are none."""
    assert Collector(using="default").can_fast_delete(model.objects.all())


@pytest.mark.parametrize(
    "name",
    [
        *("pre_init", "post_init", "pre_save", "post_save", "pre_delete", "post_delete"),
        *("m2m_changed", "class_prepared", "pre_migrate", "post_migrate"),
    ],
)
def test_no_signal_of_models_is_listened_to(name):
    """A receiver without a sender costs every model."""
    signal = getattr(signals, name)
    live = [receiver() for _, receiver, *_ in signal.receivers if receiver() is not None]

    assert [r for r in live if r.__module__.startswith("invalidation")] == []
