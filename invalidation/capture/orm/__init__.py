"""Capture of what the ORM writes, at the three compiler classes that run every write.

Comes in: a compiler that is about to run a statement. Goes out: the rows before and after, noted
in the connection's journal. A Write owns what one statement reads and notes.
"""
