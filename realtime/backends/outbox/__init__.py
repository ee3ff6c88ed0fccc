"""The outbox: messages for a backend outside the project's database, none lost and nobody waiting.

    prepare() -> a row, in the writer's transaction -> commit -> queue -> relay -> send() -> no row

A message exists if and only if its change does, because its row is written in the writer's
transaction. Beyond that INSERT a writer neither waits for the backend nor fails by it. The relay, a
thread of each process that writes or serves, sends what was committed and deletes the row then.
What a process left behind when it crashed is found by the next sweep of any relay.

So the table is the truth, and a queue in memory only says where to look first. What is in doubt is
sent again: messages are idempotent. See decision 9.
"""

from realtime.backends.outbox.process import ensure_relay, flush_relay, stop_relay
from realtime.backends.outbox.pubsub import OutboxPubSub
from realtime.backends.outbox.stats import metrics

__all__ = ["OutboxPubSub", "ensure_relay", "flush_relay", "metrics", "stop_relay"]
