"""A backend outside the database keeps the contract through the outbox."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from django.test import TransactionTestCase

from tests.contract.outbox_case import OutboxContract
from tests.contract.socket_backend import SocketPubSub, SocketServer


# The outbox on PostgreSQL has tests of its own.
@pytest.mark.sqlite
class TestSocketPubSub(OutboxContract, TransactionTestCase):
    """The contract, through a server process."""

    many = 2_000

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.server = cls.enterClassContext(SocketServer(folder))

    def setUp(self) -> None:
        super().setUp()
        self.server.kill()
        self.server.start()

    def make_pubsub(self) -> SocketPubSub:
        return SocketPubSub(self.server.path)
