"""Real servers: a user's end takes effect in every process; half handshakes do no harm."""

from __future__ import annotations

import asyncio
import socket
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.realtime.socket_client import SocketClient, connected_to
from tools.demo_server import DemoServer, in_shell, manage

PATIENCE = 60.0
HALF = b"GET /ws/live/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upg"

PEOPLE = """
from django.test import Client
todo = TodoList.objects.create(name="Shopping")
for name in ("ada", "ada", "grace"):
    user, _ = User.objects.get_or_create(username=name)
    Membership.objects.get_or_create(list=todo, user=user)
    client = Client()
    client.force_login(user)
    print(client.cookies["sessionid"].value)
print(f"list:{todo.pk}")
"""


class Site:
    """A database with its users."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "demo.sqlite3"
        manage(self.database, "migrate", "--verbosity", "0")
        *self.sessions, self.topic = in_shell(self.database, PEOPLE).split()

    @asynccontextmanager
    async def socket(self, server: DemoServer, who: int) -> AsyncIterator[SocketClient]:
        """Open a socket with one of the sessions, and watch the list."""
        headers = {"Cookie": f"sessionid={self.sessions[who]}"}
        async with connected_to(
            server.url, origin=server.url, additional_headers=headers
        ) as opened:
            await opened.receive("welcome")
            await opened.subscribe(self.topic)
            yield opened


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


@pytest.fixture
def servers(site: Site) -> Iterator[list[DemoServer]]:
    """Two processes on one database."""
    with ExitStack() as stack:
        yield [stack.enter_context(DemoServer(site.database, "uvicorn")) for _ in range(2)]


async def test_a_users_end_closes_her_sockets_in_every_process(
    site: Site, servers: list[DemoServer]
) -> None:
    """A logout closes those of one session, a new password all of hers; no other user's."""
    one, two = servers
    first, second, grace = range(3)
    async with AsyncExitStack() as stack:
        sockets = [(one, first), (two, first), (one, second), (two, second), (two, grace)]
        a1, a2, b1, b2, hers = [
            await stack.enter_async_context(site.socket(*each)) for each in sockets
        ]

        await asyncio.to_thread(log_out, one, site.sessions[first])
        assert [await each.closed() for each in (a1, a2)] == [4401, 4401]

        change = "u = User.objects.get(username='ada'); u.set_password('new'); u.save()"
        touch = f"; Task.objects.create(list_id={site.topic[5:]}, title='Milk')"
        await asyncio.to_thread(in_shell, site.database, change + touch)
        assert [await each.closed() for each in (b1, b2)] == [4401, 4401]
        await hers.receive("changed")


def log_out(server: DemoServer, session: str) -> None:
    """Log out as a browser does."""
    token = "a" * 32
    request = urllib.request.Request(
        f"{server.url}/logout/",
        data=b"",
        headers={"Cookie": f"sessionid={session}; csrftoken={token}", "X-CSRFToken": token},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE):
        pass


@pytest.mark.long
@pytest.mark.parametrize("kind", ["uvicorn", "daphne"])
async def test_half_handshakes_do_not_block_other_clients(site: Site, kind: str) -> None:
    """Others connect and receive. How long a server waits for the rest is its own setting."""
    with DemoServer(site.database, kind) as server, ExitStack() as stack:
        address = urlsplit(server.url)
        for _ in range(200):
            half = socket.create_connection((address.hostname, address.port), PATIENCE)
            stack.callback(half.close)
            half.sendall(HALF)

        async with site.socket(server, 2) as grace:
            write = f"Task.objects.create(list_id={site.topic[5:]}, title='Milk')"
            await asyncio.to_thread(in_shell, site.database, write)
            await grace.receive("changed")
