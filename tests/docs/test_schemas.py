"""The schemas that other programs go by are those that the server goes by."""

from __future__ import annotations

import pytest

from realtime.connections.handlers import client_frames
from realtime.transports import websocket  # noqa: F401 -- it registers handlers
from tools.schemas import CLIENT_FRAMES, FOLDER, SCHEMAS, schema


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_is_that_of_the_types(name: str) -> None:
    """`python -m tools.schemas` writes them anew."""
    assert (FOLDER / f"{name}.json").read_text() == schema(name)


def test_every_frame_of_clients_has_a_schema() -> None:
    """Those that have a handler are those that may be sent."""
    assert {frame.__struct_config__.tag for frame in CLIENT_FRAMES} == client_frames()
