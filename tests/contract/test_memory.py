"""MemoryPubSub keeps the contract."""

from __future__ import annotations

import pytest
from django.test import TransactionTestCase

from realtime.backends.memory import MemoryPubSub
from realtime.testing import PubSubContract


# This backend does not depend on the database.
@pytest.mark.sqlite
class TestMemoryPubSub(PubSubContract, TransactionTestCase):
    """The contract, within one process."""

    def make_pubsub(self) -> MemoryPubSub:
        return MemoryPubSub(name=f"contract {id(self)}")
