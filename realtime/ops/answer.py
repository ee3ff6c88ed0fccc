"""Answering what other processes ask: in each process that serves, by its server."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from realtime.backends import get_pubsub
from realtime.messages.message import Message
from realtime.messages.topics import Topic
from realtime.ops.ask import ASKED, Question, question_in, send
from realtime.ops.clients import client_here, clients_here
from realtime.ops.log_level import set_level_here
from realtime.ops.process import drain_here, drained_here, is_named, status_of
from realtime.ops.topics import topics_here
from realtime.server import Server, known_server

logger = logging.getLogger("realtime.status")

MOST_AT_ONCE = 16
"""Questions that are being answered. Of more the rest is left without an answer."""

ANSWERS: dict[str, Callable[..., Any]] = {
    "status": status_of,
    "topics": topics_here,
    "connections": clients_here,
    "connection": client_here,
    "drain": drain_here,
    "drained": drained_here,
    "log": set_level_here,
}
"""What can be asked, and what answers it with something that can be written as JSON.

Each is given the server, and what came with the question.
"""

MOST_KNOWN = 1_000
"""Questions that are remembered. One may come twice, as any message; it is answered once."""


class Answering:
    """An observer that answers questions. Owner of its tasks: the event loop of each server."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._known: OrderedDict[tuple[int, str], None] = OrderedDict()
        """What was answered lately, by which server."""

    def topics(self) -> Iterable[Topic]:
        """Return the topic of the questions."""
        return (ASKED,)

    def observe(self, message: Message) -> Iterable[Message]:
        """Answer a question beside what else is done; nobody connected here is told anything."""
        question = question_in(message)
        server = known_server()
        if question is None or server is None or question.what not in ANSWERS:
            return ()
        if not is_named(question.to) or len(self._tasks) >= MOST_AT_ONCE:
            return ()
        if self._is_new(server, question):
            task = asyncio.create_task(_answer(server, question))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return ()

    def _is_new(self, server: Server, question: Question) -> bool:
        key = (id(server), question.asker)
        is_new = key not in self._known
        self._known[key] = None
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return is_new

    def missed(self) -> None:
        """Take note that questions may have been lost: whoever asked asks again."""


async def _answer(server: Server, question: Question) -> None:
    try:
        answer = msgspec.to_builtins(ANSWERS[question.what](server, **question.arguments))
        await send(get_pubsub(), Message(question.answers, extra=answer))
    except Exception:
        logger.exception("cannot answer what was asked: %s", question.what)
