"""The database backend: messages are rows, stored in the transaction of the writer.

In: messages, with the transaction that they belong to. Out: records, in the order of their
positions. The table owns all state; a process keeps recent history in memory.
"""

from realtime.backends.database.pubsub import DatabasePubSub

__all__ = ["DatabasePubSub"]
