"""Redis keeps the contract: one server, one with a replica, and a cluster."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from django.test import TransactionTestCase

from realtime.backends.redis import RedisPubSub
from tests.contract.outbox_case import OutboxContract
from tools.redis_servers import RedisCluster, RedisServer, wait_until

# The outbox on PostgreSQL has tests of its own.
pytestmark = pytest.mark.sqlite


class RedisContract(OutboxContract):
    """The contract, with the servers that a class has started."""

    many = 2_000
    # A row that the relay did not send is sent by the second sweep, seconds later.
    patience = 30.0
    urls: Sequence[str]
    servers: Sequence[RedisServer]

    def setUp(self) -> None:
        super().setUp()
        for server in self.servers:
            server.ask("FLUSHALL")

    def make_pubsub(self) -> RedisPubSub:
        return RedisPubSub(self.urls)


class TestOneServer(RedisContract, TransactionTestCase):
    """The contract on a server alone."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.servers = [cls.enterClassContext(RedisServer())]
        cls.urls = [cls.servers[0].url]


@pytest.mark.long
class TestServerWithReplica(RedisContract, TransactionTestCase):
    """The contract on a primary with a replica: it makes no difference."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        primary = cls.enterClassContext(RedisServer())
        cls.enterClassContext(RedisServer("--replicaof", "127.0.0.1", str(primary.port)))
        wait_until(
            "the replica", lambda: primary.ask("INFO", "replication")["connected_slaves"] == 1
        )
        cls.servers, cls.urls = [primary], [primary.url]


@pytest.mark.long
class TestCluster(RedisContract, TransactionTestCase):
    """The contract on a cluster of three primaries and as many replicas."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cluster = cls.enterClassContext(RedisCluster())
        cls.servers, cls.urls = cluster.primaries, cluster.urls
