"""Questions to all processes that serve, and their answers: messages, as any others.

A question goes to one topic that every hub watches. Each answers on a topic of the asker's own.
Nobody else can watch either: no rule may be made for their family.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

import msgspec

from realtime.backends.base import PubSub, Upstream
from realtime.blocking import off_loop
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
