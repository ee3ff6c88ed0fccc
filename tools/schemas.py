"""Write what other programs go by anew: `python -m tools.schemas`.

The JSON Schemas of frames and messages come from the types that the server decodes and encodes
with, and the scripts of Redis are those that it runs: they cannot say anything else.
"""

from __future__ import annotations

import json
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

import msgspec

from realtime.backends.redis import scripts
from realtime.backends.stored import StoredMessage
from realtime.protocol import SERVER_FRAMES, ClientPing, ClientPong, Subscribe, Unsubscribe

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
FOLDER = REFERENCE / "schemas"
CLIENT_FRAMES = (Subscribe, Unsubscribe, ClientPing, ClientPong)
SCHEMAS = {
    "client-frames": ("What clients send, protocol version 1", reduce(or_, CLIENT_FRAMES)),
    "server-frames": ("What clients are sent, protocol version 1", reduce(or_, SERVER_FRAMES)),
    "message": ("A message in Redis, contract version 1", StoredMessage),
}


SCRIPTS = {"publish": scripts.PUBLISH, "since": scripts.SINCE, "now": scripts.NOW}


def schema(name: str) -> str:
    """Return one of them, as text."""
    title, types = SCHEMAS[name]
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}
    found: dict[str, Any] = msgspec.json.schema(types)
    return json.dumps(dialect | found, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write all."""
    FOLDER.mkdir(exist_ok=True)
    for name in SCHEMAS:
        (FOLDER / f"{name}.json").write_text(schema(name))
    for name, script in SCRIPTS.items():
        (REFERENCE / "redis" / f"{name}.lua").write_text(script.text)


if __name__ == "__main__":
    main()
