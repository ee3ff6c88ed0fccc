"""The contract of a pubsub backend as tests: `realtime.backends.base` states it in prose.

The author of a backend proves it with these tests:

    from django.test import TransactionTestCase
    from realtime.testing import PubSubContract

    class TestMyPubSub(PubSubContract, TransactionTestCase):
        def make_pubsub(self) -> PubSub:
            return MyPubSub(url="…")

They need only Django's test runner, and run under pytest as well. They need a
`TransactionTestCase`: messages are sent when a transaction commits, and in a `TestCase` no
transaction does.

No test sleeps. A test waits for an expected message until a deadline. It proves the absence of a
message by a sentinel: a later message, of the same topic where possible, that arrives while the
other does not. The tests tolerate a message that arrives twice, as the contract does.
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
