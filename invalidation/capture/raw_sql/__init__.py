"""Capture of raw SQL: it names the tables that a statement may write, not the rows.

In: the text of a statement that the ORM did not issue. Out: resets of the families of the written
tables. Nothing here has state.
"""
