"""The values that all other parts pass on: topics, messages, cursors. Pure: no I/O, no clock.

In: text and numbers. Out: frozen values, merged and encoded. Only `IdentityCache` has state; its
owner is the object that made it.
"""

from realtime.messages.cursors import NOWHERE, Cursor
from realtime.messages.message import Changes, Message, Reset, Verb
from realtime.messages.topics import Topic

__all__ = ["NOWHERE", "Changes", "Cursor", "Message", "Reset", "Topic", "Verb"]
