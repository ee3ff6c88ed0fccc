"""Decoding of clients' frames."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import realtime.transports.websocket  # noqa: F401 -- the transport registers its frames
from realtime.connections import handlers as frames
from realtime.connections.handlers import BadFrame, Received, client_frames, handles, read_frame
from realtime.connections.subscribe import subscribe, unsubscribe
from realtime.exceptions import AlreadyRegistered
from realtime.protocol import ClientPong, Frame, Subscribe, Unsubscribe, Wanted
from realtime.registry import Registry

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def bad(text: str) -> BadFrame:
    with pytest.raises(BadFrame) as caught:
        read_frame(text)
    return caught.value


def test_a_frame_comes_with_its_handler() -> None:
    """As a value of its type."""
    text = '{"type":"subscribe","subscriptions":[{"topic":"a:1","cursor":"e.1","ticket":"t"}]}'

    wanted = Subscribe([Wanted("a:1", "e.1", "t")])
    assert read_frame(text) == Received(wanted, subscribe, at_once=False)
    text = '{"topics":["a:1"],"type":"unsubscribe"}'
    assert read_frame(text) == Received(Unsubscribe(["a:1"]), unsubscribe, at_once=False)
    assert read_frame('{"type":"pong","seq":3,"more":[1]}').frame == ClientPong(3)


def test_pings_and_pongs_pass_handlers_that_wait() -> None:
    """A client that gets no answer to its ping disconnects."""
    assert read_frame('{"type":"ping"}').at_once
    assert read_frame('{"type":"pong","seq":3}').at_once


def test_the_frames_of_this_version_have_handlers() -> None:
    """Other packages may have added their own."""
    assert {"subscribe", "unsubscribe", "ping", "pong"} <= client_frames()


def test_another_package_may_register_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its handler then receives the frames of that type."""
    added = Registry[Any]("handler of frames")
    added.update(frames._kinds)
    monkeypatch.setattr(frames, "_kinds", added)

    class Dance(Frame, frozen=True, tag="dance"):
        steps: int

    @handles(Dance)
    async def dance(connection: Any, frame: Dance) -> None: ...

    assert read_frame('{"type":"dance","steps":2}') == Received(Dance(2), dance, at_once=False)
    assert bad('{"type":"dance","id":"d"}').error.id == "d"


def test_a_frame_has_one_handler() -> None:
    """Else the handler would depend on the order of imports."""

    class Dance(Frame, frozen=True, tag="ping"):
        steps: int

    with pytest.raises(AlreadyRegistered, match="ping"):

        @handles(Dance)
        async def dance(connection: Any, frame: Dance) -> None: ...


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "1", "null", "NaN", '{"a":1}}', '{"type":}', "{'type':'ping'}", "[" * 100_000]
    + ['{"a":' * depth for depth in (10, 1_000, 100_000)],
)
def test_a_text_that_is_no_json_object_is_fatal(text: str) -> None:
    """Such a client does not speak this protocol."""
    error = bad(text)

    assert (error.error.code, error.fatal) == ("not-json", True)


@pytest.mark.parametrize("depth", [10, 100, 400, 900, 1_500, 20_000])
def test_deep_nesting_is_read_or_refused(depth: int) -> None:
    """It never crashes, wherever the nesting is."""
    deep = "[" * depth + "]" * depth
    for text in (
        f'{{"type":"ping","future":{deep}}}',
        f'{{"type":"subscribe","subscriptions":{deep}}}',
    ):
        with suppress(BadFrame):
            read_frame(text)


@given(st.dictionaries(st.sampled_from(["type", "id", "seq", "topics"]), json_values))
def test_any_object_is_a_frame_or_an_error_that_is_not_fatal(fields: dict[str, object]) -> None:
    """The error carries the frame's id, if it is text."""
    try:
        read_frame(json.dumps(fields))
    except BadFrame as error:
        bad = error
    else:
        return

    given_id = fields.get("id")
    assert not bad.fatal
    assert bad.error.id == (given_id if isinstance(given_id, str) else None)


def test_an_unknown_type_is_quoted_in_short() -> None:
    """An error must not be longer than the bad frame."""
    error = bad('{"type":"' + "x" * 50_000 + '"}')

    assert error.error.code == "unknown-type"
    assert len(error.error.message) < 300
    assert "subscribe" in error.error.message


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"type":"subscribe"}', "subscriptions"),
        ('{"type":"subscribe","subscriptions":[{"topic":1}]}', "subscriptions[0].topic"),
        ('{"type":"subscribe","subscriptions":null}', "subscriptions"),
        ('{"type":"pong","seq":1.5}', "seq"),
        ('{"type":"unsubscribe","topics":{}}', "topics"),
    ],
)
def test_a_bad_field_is_named(text: str, field: str) -> None:
    """So that the client's author finds it."""
    error = bad(text)

    assert (error.error.code, error.fatal) == ("bad-field", False)
    assert field in error.error.message


def test_a_type_given_twice_passes_no_check() -> None:
    """The handler receives the frame that was checked."""
    with pytest.raises(BadFrame):
        read_frame('{"type":"pong","type":"subscribe","seq":1}')
