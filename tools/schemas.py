"""Write the JSON Schemas of frames and messages: `python -m tools.schemas`.

They are made from the types with which the server decodes and encodes, so the two always agree.
"""

from __future__ import annotations

import json
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

import msgspec

from realtime.messages.codec import StoredMessage
from realtime.protocol import SERVER_FRAMES, ClientPing, ClientPong, Subscribe, Unsubscribe

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference" / "schemas"
CLIENT_FRAMES = (Subscribe, Unsubscribe, ClientPing, ClientPong)
SCHEMAS = {
    "client-frames": ("What clients send, protocol version 1", reduce(or_, CLIENT_FRAMES)),
    "server-frames": ("What clients are sent, protocol version 1", reduce(or_, SERVER_FRAMES)),
    "message": ("A message in Redis, contract version 1", StoredMessage),
}


def schema(name: str) -> str:
    """Return one schema as text."""
    title, types = SCHEMAS[name]
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}
    found: dict[str, Any] = msgspec.json.schema(types)
    return json.dumps(dialect | found, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write all schemas."""
    FOLDER.mkdir(exist_ok=True)
    for name in SCHEMAS:
        (FOLDER / f"{name}.json").write_text(schema(name))


if __name__ == "__main__":
    main()
