"""Cross-site hijacking: a page of another site opens a socket with its visitor's cookies."""

from __future__ import annotations

import pytest
from django.test import override_settings

from tests.realtime.hostile.direct import SETTINGS
from tests.realtime.live_client import PATIENCE, communicator

# The hub starts with the first socket, and reads its position.
pytestmark = pytest.mark.django_db(transaction=True)

HOSTS = ["good.example", ".wide.example"]


async def is_let_in(origin: bytes | None) -> bool:
    with override_settings(ALLOWED_HOSTS=HOSTS, REALTIME=SETTINGS | {"ALLOW_ANONYMOUS": True}):
        socket = communicator(origin=origin)
        accepted, _ = await socket.connect(PATIENCE)
        await socket.disconnect(code=1006, timeout=PATIENCE)
    return bool(accepted)


@pytest.mark.parametrize(
    "origin",
    [
        None,
        b"",
        b"null",
        b"http://evil.example",
        b"http://good.example.evil.example",
        b"http://evilgood.example",
        b"http://evil.example/good.example",
        b"http://evil.example?good.example",
        b"http://evil.example#good.example",
        b"http://good.example@evil.example",
        b"http://good.example%2eevil.example",
        b"http://sub.good.example",
        b"http://evilwide.example",
        b"http://wide.example.evil.example",
        b"file://",
        b"good",
        b"http://",
        b"http://[::1",
        b"http://good.example:port",
        b"http://good.example:99999",
        "http://gооd.example".encode(),  # noqa: RUF001 -- Cyrillic letters
        b"http://\xff",
        b"http://good.example\x00.evil.example",
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_a_foreign_origin_is_refused(origin: bytes | None) -> None:
    """Before the socket is accepted: without its visitor's cookies the page sees no more."""
    assert not await is_let_in(origin)


@pytest.mark.parametrize(
    "origin",
    [
        b"http://good.example",
        b"https://good.example",
        b"HTTPS://GOOD.Example",
        b"http://wide.example",
        b"http://a.b.wide.example",
        # Cookies do not distinguish ports either: see docs/explanation/security.md.
        b"http://good.example:8000",
    ],
)
async def test_an_origin_of_an_allowed_host_is_let_in(origin: bytes) -> None:
    """With any scheme and port, as ALLOWED_HOSTS names neither."""
    assert await is_let_in(origin)
