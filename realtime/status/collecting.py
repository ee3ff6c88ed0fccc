"""Asking all processes, and waiting until they have answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import aclosing
from typing import Any, Protocol, TypeVar

import msgspec

from realtime.backends.base import PubSub
from realtime.status.asking import ask
from realtime.status.report import OTHERS


class Reply(Protocol):
    """What a process answers with: at least who it is."""

    @property
    def process(self) -> str:
        """Its host and number, as `host:pid`."""


R = TypeVar("R", bound=Reply)


class NotTaken(Exception):
    """The backend does not carry questions."""


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
    asked = False
    try:
        async with (
            asyncio.timeout(patience) as deadline,
            aclosing(ask(pubsub, what, to, arguments)) as answers,
        ):
            async for answer in answers:
                asked = True
                reply = _read(answer, kind)
                if reply is None:
                    continue
                found[reply.process] = reply
                if (expected and found.keys() >= set(expected)) or enough(reply):
                    break
                if not expected:
                    deadline.reschedule(asyncio.get_running_loop().time() + OTHERS)
    except TimeoutError:
        if not asked:
            raise NotTaken("it did not take a question in time") from None
    except Exception as error:
        raise NotTaken(f"{type(error).__name__}: {error}") from error
    return [found[name] for name in sorted(found)]


def _read(answer: Any, kind: type[R]) -> R | None:
    """Read an answer; None for that of another version, which says something else."""
    try:
        return msgspec.convert(answer, kind)
    except msgspec.ValidationError:
        return None
