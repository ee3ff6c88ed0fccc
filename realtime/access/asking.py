"""Asking the rules: from views, from async code, and from the event loop of a transport."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async

from realtime.access.rules import question_of
from realtime.blocking import off_loop

logger = logging.getLogger("realtime.access")

FAILED = "the rule for %s raised; the answer is no"


def allowed(user: object, topic: str) -> bool:
    """Return whether `user` may watch `topic`; views can share the answer.

    False for a topic without a rule, a bare family, a key that does not convert, and a rule that
    raises (which is logged).
    """
    question = question_of(topic)
    if question is None:
        return False
    asked, arguments = question
    call = async_to_sync(asked.function) if asked.is_async else asked.says_yes
    try:
        return bool(call(user, *arguments))
    except Exception:
        logger.exception(FAILED, topic)
        return False


async def aallowed(user: object, topic: str) -> bool:
    """Return whether `user` may watch `topic`, from async code in a request."""
    return await _answer(user, topic, sync_to_async)


async def may_watch(user: object, topic: str) -> bool:
    """Return whether `user` may watch `topic`, asking off the event loop, for transports."""
    return await _answer(user, topic, lambda rule: lambda *args: off_loop(rule, *args))


async def _answer(
    user: object, topic: str, unblocked: Callable[[Any], Callable[..., Awaitable[Any]]]
) -> bool:
    question = question_of(topic)
    if question is None:
        return False
    asked, arguments = question
    call = asked.function if asked.is_async else unblocked(asked.says_yes)
    try:
        return bool(await call(user, *arguments))
    except Exception:
        logger.exception(FAILED, topic)
        return False
