"""Remote calls between processes: questions to all that serve, and their answers, as messages.

A question goes to one topic that every hub watches. Each process answers on a topic of the asker's
own. No client can watch either: no rule may be made for their family.
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
"""What can be asked, and what answers it with something that can be written as JSON.

Each is given the server, and the question's arguments.
"""

TAKING = 5.0
"""Seconds that the backend may take until it has a question."""

OTHERS = 0.5
"""Seconds that are waited for another answer behind the last."""

MOST_AT_ONCE = 16
"""Questions that are being answered. Of more the rest is left without an answer."""

MOST_KNOWN = 1_000
"""Questions that are remembered. One may come twice, as any message; it is answered once."""


class NotTaken(Exception):
    """The backend does not carry questions."""


class Question(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is asked, `status` for one, and who asks; `to` whom, and with which arguments.

    `to` is a host, or a process as `host:pid`; empty, it is every process.
    """

    what: str
    asker: str
    to: str = ""
    arguments: dict[str, Any] = {}

    @property
    def answers(self) -> Topic:
        """The topic of the answers."""
        return Topic.of(RESERVED, ANSWERS, self.asker)


def question_in(message: Message) -> Question | None:
    """Return the question that a message is; None for one that is none."""
    if message.topic != ASKED:
        return None
    try:
        return msgspec.convert(message.extra, Question)
    except msgspec.ValidationError:
        return None  # of another version, which asks differently


async def send(pubsub: PubSub, message: Message) -> None:
    """Send a message that is worth nothing if it comes late."""
    await off_loop(pubsub.send_now, [message])


# -- asking ------------------------------------------------------------------------------------


class Reply(Protocol):
    """What a process answers with: at least who it is."""

    @property
    def process(self) -> str:
        """Its host and number, as `host:pid`."""


R = TypeVar("R", bound=Reply)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[R]):
    """A process's reply, and how many seconds after the backend took the question it came."""

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
    """Ask, and return one answer of each process, in the order of their names.

    `patience` is for how many seconds the first answer is waited for; for another behind it, half a
    second. If it is known which processes answer, `expected`, no other is waited for; nor behind a
    reply that is `enough`. Raise NotTaken if the backend is away, or does not take the question
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
    """Ask every process, or those that `to` names, and give each answer as it comes, without end.

    One may come twice. The first that is given is None, once the backend, or the relay, has the
    question, for which it has `taking` seconds. Raise NotTaken above that, or UpstreamLost, or
    what else the backend raises, if it is away.
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
    """Read an answer; None for that of another version, which says something else."""
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
        """What was answered lately, by which server."""

    def topics(self) -> Iterable[Topic]:
        """Return the topic of the questions."""
        return (ASKED,)

    def observe(self, message: Message) -> Iterable[Message]:
        """Answer a question in a task of its own; no client is told anything."""
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
        """Do nothing: the process that asked asks again."""


async def _answer(server: Server, question: Question) -> None:
    try:
        answer = msgspec.to_builtins(CALLS[question.what](server, **question.arguments))
        await send(get_pubsub(), Message(question.answers, extra=answer))
    except Exception:
        logger.exception("cannot answer what was asked: %s", question.what)


def _is_named(name: str) -> bool:
    """Is this process meant: by its own name, by its host's, or as every process is?"""
    return name in ("", socket.gethostname(), process_name())
