"""The contract of a pubsub backend, as tests: what `realtime.backends.base` says in prose.

Whoever writes a backend proves it by these:

    from django.test import TransactionTestCase
    from realtime.testing import PubSubContract

    class TestMyPubSub(PubSubContract, TransactionTestCase):
        def make_pubsub(self) -> PubSub:
            return MyPubSub(url="…")

It needs no test runner but Django's, and runs under pytest as well. A `TransactionTestCase`,
since messages go out when a transaction commits, and in a `TestCase` none ever does.

No test sleeps. What must come is awaited until a deadline, and what must not come is proven by a
sentinel: a later message, where possible of the same topic, that has arrived while the other has
not. A message that comes twice is let pass, as the contract does.
"""

from realtime.testing.contract.closing import Closing
from realtime.testing.contract.committing import Committing
from realtime.testing.contract.holding import Holding
from realtime.testing.contract.positions import Positions
from realtime.testing.contract.watching import Watching

__all__ = ["PubSubContract"]


class PubSubContract(Watching, Holding, Committing, Positions, Closing):
    """Tests that every backend passes. Mix it into a TransactionTestCase, with `make_pubsub()`.

    Sender and receiver are always separate instances, as they are in separate processes.
    """
