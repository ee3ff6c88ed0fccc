"""What a node tells its upstream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from realtime.backends.redis.layout import Address
from realtime.backends.redis.marks import Mark
from realtime.messages.message import Message
from realtime.messages.topics import Topic


@dataclass(frozen=True, slots=True)
class Heard:
    """Something for the upstream, in the order in which it came.

    Each message has the position behind it, if its server is known to stand there. `joined` names
    topics that are live from here on, and `left` those that are not any more; `mark` is where the
    server stands for all that are live.
    """

    address: Address
    messages: Sequence[tuple[Message, Mark | None]] = ()
    joined: Sequence[tuple[Topic, str]] = ()
    left: Sequence[Topic] = ()
    mark: Mark | None = None
