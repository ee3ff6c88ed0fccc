"""Frames, events, polls, headers and tokens pass nginx in both directions."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.deploy.certificate import trusting
from tests.deploy.deployment import PATIENCE, Deployment, read_head
from tests.realtime.socket_client import connected_to
from tests.realtime.two_servers import LIST

pytestmark = [pytest.mark.sqlite, pytest.mark.asyncio(loop_scope="session")]

FOREIGN = "https://evil.example"


def entered(changed: dict[str, Any]) -> list[str]:
    changes: dict[str, Any] = changed["topics"][LIST]["changes"]
    return [pk for rows in changes.values() for pk in rows["entered"]]


async def test_a_websocket_receives_a_write_of_another_process(site: Deployment) -> None:
    """Of a process that serves no clients."""
    async with site.socket() as socket:
        await socket.receive("welcome")
        await socket.subscribe(LIST)

        pk = await site.write()

        while pk not in entered(await socket.receive("changed")):
            pass  # a row of an earlier test


async def test_a_websocket_over_tls_is_admitted(site: Deployment) -> None:
    """As in production."""
    url = "https://127.0.0.1"
    async with connected_to(
        url, site.folder / "https.sock", origin=url, ssl=trusting(site.folder)
    ) as socket:
        await socket.receive("welcome")


async def test_a_token_passes_in_a_subprotocol(site: Deployment) -> None:
    """A browser requires the server to accept one of the offered ones."""
    async with site.socket(subprotocols=["livequery", "token.abc"]) as socket:
        assert socket.subprotocol == "livequery"


async def test_events_arrive_at_once(site: Deployment) -> None:
    """Nginx buffers no events."""
    async with site.open(f"/live/sse/?topic={LIST}") as reader:
        status, _ = await read_head(reader)
        await reader.readuntil(b"event: subscribed")

        pk = await site.write()

        await reader.readuntil(f'"{pk}"'.encode())
    assert status == 200


async def test_a_poll_waits_for_changes(site: Deployment) -> None:
    """It is answered at the first change; the response has the next cursor."""
    poll = f"/live/changes/?topic={LIST}&wait=20&since="
    since = json.loads((await site.ask(poll)).body)["cursor"]
    polling = asyncio.create_task(site.ask(poll + since))

    pk = await site.write()

    while f'"{pk}"' not in (answer := await polling).body:
        assert answer.status == 200
        polling = asyncio.create_task(site.ask(poll + json.loads(answer.body)["cursor"]))


@pytest.mark.parametrize("origin", [FOREIGN, None])
async def test_a_foreign_page_opens_no_websocket(site: Deployment, origin: str | None) -> None:
    """Nor does a program without `Origin`."""
    with pytest.raises(InvalidStatus) as refused:
        async with site.socket(origin):
            pass

    assert refused.value.response.status_code == 403


async def test_a_foreign_page_opens_no_stream(site: Deployment) -> None:
    """HTTP has the same check, but a program needs no `Origin`."""
    assert (await site.ask(f"/live/sse/?topic={LIST}", Origin=FOREIGN)).status == 403


async def test_a_request_arrives_as_it_was_sent(site: Deployment) -> None:
    """Except the client's headers about proxies, and upgrades other than to websocket."""
    lies = {"X_Forwarded_For": "6.6.6.6", "X_Forwarded_Host": "evil", "X_Forwarded_Proto": "https"}
    answer = await site.ask("/arrived/", **lies, Upgrade="h2c")

    assert json.loads(answer.body) == {
        "url": f"http://{site.host}/arrived/",
        "headers": {"Host": site.host, "X-Forwarded-For": "127.0.0.1"},
    }


async def test_django_knows_of_tls(site: Deployment) -> None:
    """Else Django would redirect to HTTPS for ever, and its CSRF check would fail."""
    answer = await site.ask("/arrived/", by="https")

    assert json.loads(answer.body)["url"] == f"https://{site.host}/arrived/"


async def test_plain_http_is_redirected_to_https(site: Deployment) -> None:
    """With path and query."""
    answer = await site.ask("/lists/?page=2", by="http", Host="example.org")

    assert answer.status == 301
    assert answer.headers["location"] == "https://example.org/lists/?page=2"


async def test_static_files_are_revalidated(site: Deployment) -> None:
    """Modules of two versions of the client must not be mixed."""
    (site.folder / "static/live.js").write_text("export {}")

    answer = await site.ask("/static/live.js")

    assert (answer.status, answer.body) == (200, "export {}")
    assert answer.headers["cache-control"] == "no-cache"


async def test_secrets_are_not_logged(site: Deployment) -> None:
    """Cookies, and the tickets in a query."""
    await site.ask("/arrived/?ticket=secret-1", Cookie="sessionid=secret-2", Referer="/?secret-3")
    await site.ask("/up/")

    async with asyncio.timeout(PATIENCE):
        while '"GET /up/"' not in (log := (site.folder / "access.log").read_text()):
            await asyncio.sleep(0.01)
    assert '"GET /arrived/"' in log
    assert "secret" not in log
