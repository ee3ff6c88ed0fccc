"""One client's connection, whatever transport carries it: who it is and what it watches."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Iterable

from realtime.conf import conf
from realtime.hub import Hub
from realtime.mailbox import Mailbox
from realtime.messages import Message
from realtime.protocol import CloseCode, Frame
from realtime.topics import Topic


class Connection:
    """What frame handlers are given. Owner: the task that handles the client's frames.

    `send(frame)` writes at once; what the hub has to say waits in `mailbox` for the transport's
    writer. `close(code)` ends the connection.
    """

    def __init__(
        self,
        user: object,
        hub: Hub,
        send: Callable[[Frame], Awaitable[None]],
        close: Callable[[CloseCode], Awaitable[None]],
    ) -> None:
        self.id = secrets.token_urlsafe(9)
        self.user = user
        self.hub = hub
        self.send = send
        self.close = close
        self.mailbox = Mailbox(conf.MAX_WAITING_ROWS)
        self.topics: dict[Topic, str | None] = {}
        """What it watches, and the cursor that the client was told last of each."""

    def note_told(self, messages: Iterable[Message]) -> None:
        """Remember how far the client has been told of its topics."""
        for message in messages:
            if message.topic in self.topics and message.cursor is not None:
                self.topics[message.topic] = str(message.cursor)

    async def let_go(self) -> None:
        """Unsubscribe from everything; nothing is left behind in the hub."""
        topics, self.topics = self.topics, {}
        await self.hub.unsubscribe(self.mailbox, *topics)
