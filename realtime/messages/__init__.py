"""The values that everything else hands on: topics, messages, cursors. Pure: no I/O, no clock.

Comes in: text and numbers. Goes out: frozen values, merged and encoded. Nothing here has state but
`IdentityCache`, whose owner is the object that made it.
"""

from realtime.messages.cursors import NOWHERE, Cursor
from realtime.messages.message import Changes, Message, Reset, Verb
from realtime.messages.topics import Topic

__all__ = ["NOWHERE", "Changes", "Cursor", "Message", "Reset", "Topic", "Verb"]
