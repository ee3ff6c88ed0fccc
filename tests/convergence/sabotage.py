"""Sabotages: they break the product on purpose, to show that the harness notices.

Those of the server wrap the ASGI application and change frames, as a bug inside would, so they work
with any version of the product. Those of the client patch a copy of its source.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

STATIC = Path(__file__).resolve().parents[2] / "realtime/static"

Event = dict[str, Any]
Application = Callable[..., Awaitable[Any]]


def forget_cursors(application: Application) -> Application:
    """Drop the cursors that clients send: they are subscribed as if they had missed no change."""

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        async def receive_without_cursors() -> Event:
            event: Event = await receive()
            if event["type"] == "websocket.receive" and "subscriptions" in (event["text"] or ""):
                frame = json.loads(event["text"])
                for wanted in frame["subscriptions"]:
                    wanted.pop("cursor", None)
                event = {**event, "text": json.dumps(frame)}
            return event

        await application(scope, receive_without_cursors, send)

    return broken


def tell_twice(application: Application) -> Application:
    """Send every frame about changes a second time."""

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        async def send_twice(event: Event) -> None:
            await send(event)
            if event["type"] == "websocket.send" and '"changed"' in (event.get("text") or ""):
                await send(event)

        await application(scope, receive, send_twice)

    return broken


def tell_the_revoked(application: Application) -> Application:
    """Send a `changed` frame for the topics of each `revoked` frame behind it."""

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        async def send_and_tell(event: Event) -> None:
            await send(event)
            if event["type"] == "websocket.send" and '"revoked"' in (event.get("text") or ""):
                topics = json.loads(event["text"])["topics"]
                told = {"type": "changed", "topics": {topic: {"changes": {}} for topic in topics}}
                await send({**event, "text": json.dumps(told)})

        await application(scope, receive, send_and_tell)

    return broken


SABOTAGES: dict[str, Callable[[Application], Application]] = {
    "forget cursors": forget_cursors,
    "tell twice": tell_twice,
    "tell the revoked": tell_the_revoked,
}

NO_OUTBOX = "no outbox"
"""By a setting: messages wait in the writer's memory, and are lost with its process."""

NO_DEPENDS = "no depends"
"""In the board: its rules have no `depends`, and the recheck comes only after the round."""


Patch = tuple[str, str, str]
"""A file's name, a text that occurs once in it, and its replacement."""

CARELESS = "careless clients"
"""Clients that fetch concurrently, and apply responses in the order of arrival."""

RESIGNED = "resigned clients"
"""Clients that never ask again for denied topics."""

SILENT = "silent clients"
"""Clients that subscribe to nothing when they reconnect."""

CLIENT_SABOTAGES: dict[str, Sequence[Patch]] = {
    CARELESS: (
        ("refetch.js", "    await previous;\n", ""),
        ("refetch.js", "(this.#next ??= this.#makeRound())", "(this.#next = this.#makeRound())"),
        (
            "handler_runner.js",
            "    if (this.#isStopped) return;\n    this.#owed = ",
            """    if (this.#isStopped || isEmpty(changes)) return;
            const again = () => this.#clock.setTimeout(() => this.tell(changes), 500);
            return void this.#call(changes).then((applied) => applied || again());
            this.#owed = """,
        ),
    ),
    RESIGNED: (
        ("denied_retry.js", "retryJitter.wait(pauses.next(), () => this.#look(topic));", ""),
    ),
    SILENT: (
        (
            "ticket.js",
            "    this.#isConfirmed = false;\n    this.#request = null;",
            "    this.#request = null;",
        ),
    ),
}


def patched_static(folder: Path, patches: Iterable[Patch]) -> Path:
    """Copy the static files into a new folder, patch them, and return it.

    Raise ValueError for a text that does not occur exactly once.
    """
    shutil.copytree(STATIC, folder)
    (folder / "package.json").write_text('{"type": "module"}')
    for name, old, new in patches:
        files = [path for path in folder.rglob(name) if path.read_text().count(old) == 1]
        if len(files) != 1:
            raise ValueError(f"{old!r} is in {len(files)} files named {name}")
        (path,) = files
        path.write_text(path.read_text().replace(old, new))
    return folder
