"""The life of one transaction: its noted changes, and the messages that are stored with it.

In: the changes that capture notes. Out: one stored record a transaction, inserted right before
its COMMIT, and the sending after it. A connection's journal owns the noted changes; it follows
savepoints, commit and rollback.
"""
