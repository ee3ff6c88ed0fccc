"""The outbox: sends messages to a backend outside the project's database, and loses none.

    prepare() -> a row, in the writer's transaction -> commit -> queue -> relay -> send() -> no row

A message exists if and only if its change does, because its row is written in the writer's
transaction. Apart from that INSERT a writer neither waits for the backend nor fails with it. The
relay is a thread in each process that writes or serves. It sends committed rows, and then deletes
them. The next sweep of any relay finds the rows of a process that crashed.

So the table is authoritative; the queue in memory only says which rows to send first. A row in
doubt is sent again: messages are idempotent. See decision 9.
"""

from realtime.backends.outbox.process import ensure_relay, flush_relay, stop_relay
from realtime.backends.outbox.pubsub import OutboxPubSub
from realtime.backends.outbox.stats import metrics

__all__ = ["OutboxPubSub", "ensure_relay", "flush_relay", "metrics", "stop_relay"]
