"""Questions to all processes that serve, and their answers: messages, as any others.

A question goes to one topic that every hub watches. Each answers on a topic of the asker's own.
Nobody else can watch either: no rule may be made for their family.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import aclosing, suppress
from typing import Any, Protocol, TypeVar

import msgspec

from realtime.backends.base import PubSub, Upstream
from realtime.concurrency import off_loop
from realtime.messages.message import Message
from realtime.messages.topics import RESERVED, Topic

ASKED = Topic.of(RESERVED, "asked")
ANSWERS = "answers"

TAKING = 5.0
"""Seconds that the backend may take until it has a question."""

OTHERS = 0.5
"""Seconds that are waited for another answer behind the last."""

T = TypeVar("T")


class NotTaken(Exception):
    """The backend does not carry questions."""


class Question(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is asked, `status` for one, and who asks; `to` whom, and with which arguments.

    `to` is a host, or a process as `host:pid`; it is empty for everybody.
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


async def ask(
    pubsub: PubSub,
    what: str,
    to: str = "",
    arguments: Mapping[str, Any] | None = None,
    *,
    taking: float = TAKING,
) -> AsyncGenerator[Any]:
    """Ask every process, or those that `to` names, and give each answer as it comes, for ever.

    One may come twice. The first that is given is None, once the backend, or the relay, has the
    question, for which it has `taking` seconds. Raise NotTaken above that, or UpstreamLost, or
    whatever else came, if it is away.
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


async def send(pubsub: PubSub, message: Message) -> None:
    """Send a message that is worth nothing if it comes late."""
    await off_loop(pubsub.send_now, [message])


async def _received(upstream: Upstream) -> AsyncGenerator[Message]:
    while True:
        for message in await upstream.receive():
            yield message


class Reply(Protocol):
    """What a process answers with: at least who it is."""

    @property
    def process(self) -> str:
        """Its host and number, as `host:pid`."""


R = TypeVar("R", bound=Reply)


async def collect(
    pubsub: PubSub,
    what: str,
    kind: type[R],
    patience: float,
    *,
    to: str = "",
    expected: Collection[str] = (),
    enough: Callable[[R], bool] = lambda reply: False,
    **arguments: Any,
) -> list[R]:
    """Ask, and return one answer of each process, in the order of their names.

    `patience` is for how many seconds the first answer is waited for; for another behind it, half a
    second. If it is known who will answer, `expected`, nobody else is waited for; nor behind an
    answer that is `enough`. Raise NotTaken if the backend is away.
    """
    found: dict[str, R] = {}
    try:
        with suppress(TimeoutError):
            async with (
                asyncio.timeout(None) as deadline,
                aclosing(ask(pubsub, what, to, arguments)) as answers,
            ):
                now = asyncio.get_running_loop().time
                async for answer in answers:
                    if answer is None:
                        deadline.reschedule(now() + patience)
                    reply = read_answer(answer, kind)
                    if reply is None:
                        continue
                    found[reply.process] = reply
                    if (expected and found.keys() >= set(expected)) or enough(reply):
                        break
                    if not expected:
                        deadline.reschedule(now() + OTHERS)
    except NotTaken:
        raise
    except Exception as error:
        raise NotTaken(f"{type(error).__name__}: {error}") from error
    return [found[name] for name in sorted(found)]
