"""One transaction's life: what was written in it, and the message that is stored with it.

Comes in: the changes that capture notes. Goes out: one record a transaction, inserted right
before its COMMIT, and what is sent behind it. A connection's journal owns what was noted; it
follows savepoints, commit and rollback.
"""
