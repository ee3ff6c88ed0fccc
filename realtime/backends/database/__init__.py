"""The database backend: messages are rows, stored in the transaction of the writer.

Comes in: messages, with the transaction that they tell of. Goes out: records, in the order of their
positions. The table is the owner of all state; a process remembers recent history.
"""

from realtime.backends.database.pubsub import DatabasePubSub

__all__ = ["DatabasePubSub"]
