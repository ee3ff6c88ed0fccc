"""Helpers that send to the server, and that publish from other threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from django.db import connections

from realtime import Message, publish
from tests.realtime.live_client import PATIENCE

T = TypeVar("T")

SENTINEL = "sentinel:1"


async def in_thread(work: Callable[..., T], *args: object) -> T:
    """Run ORM code in a thread and on a connection of its own, as another request would."""

    def run() -> T:
        try:
            return work(*args)
        finally:
            connections.close_all()

    return await asyncio.wait_for(asyncio.to_thread(run), PATIENCE)


async def tell(*messages: Message) -> None:
    """Publish messages, all in one transaction, from another thread."""
    await in_thread(publish, messages)


def subscribe(*topics: str) -> dict[str, object]:
    return {"type": "subscribe", "subscriptions": [{"topic": topic} for topic in topics]}
