"""Capture of raw SQL: it names the tables that a statement may write, not the rows.

Comes in: the text of a statement that the ORM did not make. Goes out: resets of the families of
the tables written. Nothing here has state.
"""
