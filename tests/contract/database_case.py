"""Common parts of the database backend's tests."""

from __future__ import annotations

import os
from urllib.parse import quote

from django.db import connection
from django.test import TransactionTestCase

from realtime.backends.base import Upstream
from realtime.backends.database import DatabasePubSub
from realtime.exceptions import UpstreamLost
from realtime.models import StoredRecord
from realtime.testing.backend_case import BackendCase


class EmptyHistory(TransactionTestCase):
    """Tests that begin without any record, also if they run first after the migrations."""

    def setUp(self) -> None:
        StoredRecord.objects.all().delete()


class DatabaseCase(BackendCase, EmptyHistory):
    """Common parts of the tests of this backend alone."""

    def make_pubsub(self) -> DatabasePubSub:
        return DatabasePubSub()

    async def lost(self, upstream: Upstream) -> str:
        """Return why the upstream was lost."""
        with self.assertRaises(UpstreamLost) as caught:
            await self.within(upstream.receive())
        return str(caught.exception)


def environment_of_the_demo() -> dict[str, str]:
    """Return this process's environment, pointed at the demo on the test database."""
    settings = connection.settings_dict
    where = {"DEMO_DB": str(settings["NAME"])}
    if connection.vendor == "postgresql":
        user, host = (quote(settings[part], safe="") for part in ("USER", "HOST"))
        where = {"DATABASE_URL": f"postgres://{user}@{host}:{settings['PORT']}/{settings['NAME']}"}
    return os.environ | where | {"DJANGO_SETTINGS_MODULE": "demo_todo.settings"}
