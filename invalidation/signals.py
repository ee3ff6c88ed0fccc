"""The Django signal for other apps that want to hear what was committed."""

from __future__ import annotations

from django.dispatch import Signal

rows_changed = Signal()
"""Sent after a commit and before anything is published, once a model that it changed.

`sender` is the model, `using` the database's alias, and `changes` a list of `Change`, one a row; or
None where it is not known which rows changed (bulk writes, raw SQL). A receiver that raises is
logged and harms nobody. Never sent where nothing commits, as in a `TestCase`.
"""
