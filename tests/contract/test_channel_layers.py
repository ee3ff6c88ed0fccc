"""Channel layers, as far as they can keep the contract: with enough capacity, and available."""

from __future__ import annotations

import pytest
from channels.layers import channel_layers
from django.test import TransactionTestCase, override_settings

from realtime.backends.channel_layer import ChannelLayerPubSub
from tests.contract.outbox_case import OutboxContract
from tools.redis_servers import RedisServer

pytestmark = [
    pytest.mark.sqlite,
    # Layers keep connections for each event loop, and close them at garbage collection.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ROOMY = {"capacity": 100_000}


class LayerContract(OutboxContract):
    """The contract over one of CHANNEL_LAYERS."""

    many = 1_000
    rounds = 8
    alias: str

    def setUp(self) -> None:
        super().setUp()
        layers = {
            "memory": {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": ROOMY},
            **self.more_layers(),
        }
        self.enterContext(override_settings(CHANNEL_LAYERS=layers))
        self.pubsub = ChannelLayerPubSub(self.alias)

    def more_layers(self) -> dict[str, object]:
        return {}

    def tearDown(self) -> None:
        super().tearDown()
        channel_layers.backends.clear()

    def make_pubsub(self) -> ChannelLayerPubSub:
        # One instance a process, as in a project: it numbers its messages.
        return self.pubsub


class TestInMemoryLayer(LayerContract, TransactionTestCase):
    """Channels' own layer."""

    alias = "memory"


class OnRedis(LayerContract):
    """A layer of channels_redis."""

    backend: str
    alias = "redis"

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.server = cls.enterClassContext(RedisServer())

    def more_layers(self) -> dict[str, object]:
        config = {**ROOMY, "hosts": [self.server.url]}
        return {"redis": {"BACKEND": self.backend, "CONFIG": config}}


@pytest.mark.long
class TestCoreLayer(OnRedis, TransactionTestCase):
    """The layer based on lists."""

    backend = "channels_redis.core.RedisChannelLayer"


@pytest.mark.long
class TestPubSubLayer(OnRedis, TransactionTestCase):
    """The layer based on Redis pubsub channels."""

    backend = "channels_redis.pubsub.RedisPubSubChannelLayer"
