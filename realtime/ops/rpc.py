"""Remote calls between processes: questions to all serving processes, answered by messages.

A question goes to one topic that every hub watches. Each process answers on a topic that belongs to
the question. Clients can watch neither: rules cannot be registered for the reserved family.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from realtime.backends import get_pubsub
from realtime.backends.base import PubSub, Upstream
from realtime.concurrency import off_loop
from realtime.messages.message import Message
from realtime.messages.topics import RESERVED, Topic
from realtime.ops.clients import client_here, clients_here
from realtime.ops.log_level import set_level_here
from realtime.ops.process import drain_here, drained_here, process_name, status_of
from realtime.ops.topics import topics_here
from realtime.server import Server, known_server

logger = logging.getLogger("realtime.status")

ASKED = Topic.of(RESERVED, "asked")
ANSWERS = "answers"

CALLS: dict[str, Callable[..., Any]] = {
    "status": status_of,
    "topics": topics_here,
    "connections": clients_here,
    "connection": client_here,
    "drain": drain_here,
    "drained": drained_here,
    "log": set_level_here,
}
"""Name -> function that answers; called with the server and the question's arguments.

Results must be convertible to JSON.
"""

TAKING = 5.0
"""Seconds within which the backend must accept a question."""

OTHERS = 0.5
"""Seconds to wait for another answer after the last one."""

MOST_AT_ONCE = 16
"""Questions that are answered at a time; others get no answer."""

MOST_KNOWN = 1_000
"""Questions that are remembered: a message may arrive twice, and is answered once."""


class NotTaken(Exception):
    """The backend did not accept the question."""


class Question(msgspec.Struct, frozen=True, omit_defaults=True):
    """A call: `what` is a name in CALLS, `asker` identifies the question.

    `to` is a host, or a process as `host:pid`; empty for all processes.
    """

    what: str
    asker: str
    to: str = ""
    arguments: dict[str, Any] = {}

    @property
    def answers(self) -> Topic:
        """The topic to which the answers are sent."""
        return Topic.of(RESERVED, ANSWERS, self.asker)


def question_in(message: Message) -> Question | None:
    """Return the question in a message; None if it has none."""
    if message.topic != ASKED:
        return None
    try:
        return msgspec.convert(message.extra, Question)
    except msgspec.ValidationError:
        return None  # from a version with another format


async def send(pubsub: PubSub, message: Message) -> None:
    """Send a message directly, without the outbox: a late one would be useless."""
    await off_loop(pubsub.send_now, [message])


# -- asking ------------------------------------------------------------------------------------


class Reply(Protocol):
    """The answer of a process; it has at least the process's name."""

    @property
    def process(self) -> str:
        """The process's name: `host:pid`."""


R = TypeVar("R", bound=Reply)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[R]):
    """A process's reply, and the seconds since the backend accepted the question."""

    reply: R
    seconds: float


async def collect(
    pubsub: PubSub,
    what: str,
    kind: type[R],
    patience: float,
    *,
    to: str = "",
    taking: float = TAKING,
    expected: Collection[str] = (),
    enough: Callable[[R], bool] = lambda reply: False,
    **arguments: Any,
) -> list[Answer[R]]:
    """Send a question, and return one answer of each process, ordered by name.

    Wait `patience` seconds for the first answer, and OTHERS seconds for each further one. If
    `expected` names the processes, wait `patience` seconds for exactly these. A reply that is
    `enough` ends the wait. Raise NotTaken if the backend is away, or does not accept the question
    within `taking` seconds.
    """
    found: dict[str, Answer[R]] = {}
    now = asyncio.get_running_loop().time
    asked = now()
    try:
        with suppress(TimeoutError):
            async with (
                asyncio.timeout(None) as deadline,
                aclosing(ask(pubsub, what, to, arguments, taking=taking)) as answers,
            ):
                async for answer in answers:
                    if answer is None:
                        asked = now()
                        deadline.reschedule(asked + patience)
                    reply = read_answer(answer, kind)
                    if reply is None:
                        continue
                    found.setdefault(reply.process, Answer(reply, now() - asked))
                    if (expected and found.keys() >= set(expected)) or enough(reply):
                        break
                    if not expected:
                        deadline.reschedule(now() + OTHERS)
    except NotTaken:
        raise
    except Exception as error:
        raise NotTaken(f"{type(error).__name__}: {error}") from error
    return [found[name] for name in sorted(found)]


async def ask(
    pubsub: PubSub,
    what: str,
    to: str = "",
    arguments: Mapping[str, Any] | None = None,
    *,
    taking: float = TAKING,
) -> AsyncGenerator[Any]:
    """Ask all processes, or those that `to` names; yield the answers as they arrive, without end.

    The first value is None, when the backend or the relay has accepted the question. An answer may
    arrive twice. Raise NotTaken if that takes longer than `taking` seconds, and UpstreamLost or
    another error of the backend if it is away.
    """
    question = Question(what, secrets.token_hex(8), to, dict(arguments or {}))
    upstream = pubsub.connect()
    try:
        try:
            async with asyncio.timeout(taking):
                await upstream.watch([question.answers])
                await send(pubsub, Message(ASKED, extra=msgspec.to_builtins(question)))
        except TimeoutError:
            raise NotTaken("it did not take a question in time") from None
        yield None
        async with aclosing(_received(upstream)) as messages:
            async for message in messages:
                if message.topic == question.answers and message.extra is not None:
                    yield message.extra
    finally:
        await upstream.close()


def read_answer(answer: Any, kind: type[T]) -> T | None:
    """Convert an answer; None if it is from a version with another format."""
    try:
        return msgspec.convert(answer, kind)
    except msgspec.ValidationError:
        return None


async def _received(upstream: Upstream) -> AsyncGenerator[Message]:
    while True:
        for message in await upstream.receive():
            yield message


# -- answering ---------------------------------------------------------------------------------


class Answering:
    """An observer that answers questions. Owner of its tasks: the event loop of each server."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._known: OrderedDict[tuple[int, str], None] = OrderedDict()
        """Questions answered lately: the server's id, and the asker."""

    def topics(self) -> Iterable[Topic]:
        """Return the topic of questions."""
        return (ASKED,)

    def observe(self, message: Message) -> Iterable[Message]:
        """Answer a question in a task of its own; add no messages for clients."""
        question = question_in(message)
        server = known_server()
        if question is None or server is None or question.what not in CALLS:
            return ()
        if not _is_named(question.to) or len(self._tasks) >= MOST_AT_ONCE:
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
        """Do nothing: an operator repeats a question that got no answer."""


async def _answer(server: Server, question: Question) -> None:
    try:
        answer = msgspec.to_builtins(CALLS[question.what](server, **question.arguments))
        await send(get_pubsub(), Message(question.answers, extra=answer))
    except Exception:
        logger.exception("cannot answer the question: %s", question.what)


def _is_named(name: str) -> bool:
    """Return whether `to` addresses this process: by name, by host, or as one of all."""
    return name in ("", socket.gethostname(), process_name())
