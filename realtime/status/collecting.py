"""Asking all processes, and waiting until they have answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import aclosing, suppress
from typing import Any, Protocol, TypeVar

from realtime.backends.base import PubSub
from realtime.status.asking import OTHERS, NotTaken, ask, read_answer


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
