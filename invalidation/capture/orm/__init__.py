"""Capture of ORM writes, at the three compiler classes that run every one of them.

In: a compiler that is about to run a statement. Out: its rows before and after, noted in the
connection's journal. A Write owns the state of one statement.
"""
