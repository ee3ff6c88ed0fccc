"""Common parts of the websocket's tests: a user, a list that she may watch, her socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import connections

from demo_todo.models import Membership, TodoList
from realtime.access import allow
from realtime.server import close_server
from tests.realtime.live_client import PATIENCE, LiveClient, connected


@pytest.fixture(autouse=True)
def rules(no_rules: None, no_linger: None) -> None:
    """Members of a list may watch it; every user may watch the sentinel."""

    def is_member(user: User, list_id: int) -> bool:
        return Membership.objects.filter(user=user.pk, list=list_id).exists()

    allow("list")(is_member)
    allow("sentinel")(lambda user, key: True)


@pytest_asyncio.fixture(autouse=True)
async def fresh_server() -> AsyncIterator[None]:
    """Close the hub, and this thread's connections, before the database is flushed."""
    yield
    await asyncio.wait_for(close_server(), PATIENCE)
    await sync_to_async(connections.close_all)()


@pytest_asyncio.fixture
async def ada() -> User:
    return await User.objects.acreate_user("ada")


@pytest_asyncio.fixture
async def shopping(ada: User) -> TodoList:
    found = await TodoList.objects.acreate(name="Shopping")
    await Membership.objects.acreate(list=found, user=ada)
    return found


@pytest_asyncio.fixture
async def topic(shopping: TodoList) -> str:
    return f"list:{shopping.pk}"


@pytest_asyncio.fixture
async def client(ada: User, shopping: TodoList) -> AsyncIterator[LiveClient]:
    """Her socket; once it is open, this process receives messages."""
    async with connected(ada) as client:
        yield client
