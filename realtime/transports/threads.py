"""Giving back what Django keeps for a request, when the request lasts."""

from __future__ import annotations

from asgiref.sync import SyncToAsync, sync_to_async
from django.db import connections


async def release_connections() -> None:
    """Close the database connections that middleware has opened for this request.

    Each request has a thread of its own for what is sync, and that keeps its connections until the
    request ends. Thousands of streams would keep thousands.
    """
    await sync_to_async(_close_unused)()


async def release_thread() -> None:
    """End that thread too; another is begun when something sync is called after all."""
    await release_connections()
    context = SyncToAsync.thread_sensitive_context.get(None)
    if context is not None:
        executor = SyncToAsync.context_to_thread_executor.pop(context, None)
        if executor is not None:
            executor.shutdown(wait=False)


def _close_unused() -> None:
    for connection in connections.all(initialized_only=True):
        # One within a transaction belongs to a test.
        if not connection.in_atomic_block:
            connection.close()
