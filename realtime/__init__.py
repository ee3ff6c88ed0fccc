"""Keep web pages true: tell clients which data changed, in milliseconds, missing nothing.

This package moves messages and knows no models. The packages that publish, and those that fill its
registries, decide which messages exist.
"""

from realtime.access import aallowed, allow, allowed, aticket, ticket
from realtime.messages.cursors import Cursor
from realtime.messages.message import Message
from realtime.messages.topics import Topic
from realtime.pages.watch import aposition, awatch, position, watch
from realtime.publish import apublish, publish
from realtime.server import listen

__all__ = [
    "Cursor",
    "Message",
    "Topic",
    "aallowed",
    "allow",
    "allowed",
    "aposition",
    "apublish",
    "aticket",
    "awatch",
    "listen",
    "position",
    "publish",
    "ticket",
    "watch",
]
