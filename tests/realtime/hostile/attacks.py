"""Frames of a hostile client: invalid ones, and nearly valid ones."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from realtime import Message
from realtime.access import allow
from realtime.backends import get_pubsub
from realtime.connections.authorization import NOT_ALLOWED
from realtime.protocol import SERVER_FRAMES
from realtime.server import close_server
from tests.realtime.hostile.direct import NOTHING, Direct, left_behind, wanted

Frame = str | bytes
TYPES = {frame.__struct_config__.tag for frame in SERVER_FRAMES}
GOOD = ("list:1", "list:2", "list:3", "other:a%2Fb", "model:shop.order", "object:shop.order/7")
"""Topics that exist; the hostile client may watch the lists."""
NEIGHBOUR = "near:1"
LONG = 30.0
"""Seconds: a long run shares its machine with others, at the lowest priority."""

odd_topics = st.one_of(
    st.sampled_from(
        [
            *("", ":", "list", "list:", "list:05", "list:1/", "list:%zz", "list:-0", "list:1e3"),
            *("realtime:access", "realtime:", "object:shop.order/", "object:", "list:" + "9" * 400),
            *(
                "LIST:1",
                "list:\u0661",
                "list:1\x00",
                "x" * 501,
                "list:" + "a/" * 200,
                "list:%2e",
                NEIGHBOUR,
            ),
        ]
    ),
    st.text(max_size=12),
    st.from_regex(r"[a-z]{1,4}:[0-9a-z%/]{0,6}", fullmatch=True),
)
topics = st.sampled_from(GOOD) | odd_topics
cursors = st.sampled_from(["none.0", "a.b", ".", "x" * 2000, "1.", "a.b.c", "0~1.9"]) | st.text(
    max_size=9
)
tickets = st.sampled_from(["", ":", "::", "1abcde:x", "a" * 300]) | st.text(max_size=9)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**30, -(2**63), 2**64, 1e308, float("inf"), float("nan"), -0.0]),
    st.text(max_size=6),
)
values = st.recursive(
    scalars,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=4), v, max_size=3),
    max_leaves=5,
)
subscriptions = st.fixed_dictionaries(
    {"topic": topics}, optional={"cursor": cursors, "ticket": tickets, "more": values}
)
frames: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("subscribe"), "subscriptions": st.lists(subscriptions, max_size=4)}
    ),
    st.fixed_dictionaries({"type": st.just("unsubscribe"), "topics": st.lists(topics, max_size=4)}),
    st.just({"type": "ping"}),
    st.fixed_dictionaries({"type": st.just("pong"), "seq": st.integers()}),
    # One topic many times, with cursors that may each cost a look-up.
    st.builds(
        lambda topic, given, times: {
            "type": "subscribe",
            "subscriptions": [
                {"topic": topic, "cursor": f"{given}.{n}", "ticket": f"{given}:{n}"}
                for n in range(times)
            ],
        },
        topics,
        st.text(max_size=3),
        st.integers(1, 40),
    ),
)


@st.composite
def bent(draw: st.DrawFn) -> dict[str, Any]:
    """Take a valid frame, and make a field invalid, or leave one out."""
    frame = dict(draw(frames))
    field = draw(st.sampled_from([*frame, "id", "type", ""]))
    if draw(st.booleans()):
        frame.pop(field, None)
    else:
        frame[field] = draw(values)
    return frame


@st.composite
def broken(draw: st.DrawFn) -> str:
    """Take a valid frame's text, and cut it, or insert something."""
    text = json.dumps(draw(frames | bent()))
    at = draw(st.integers(0, len(text)))
    middle = draw(
        st.sampled_from(["", "\x00", '"', "{", "}", "\\ud800", "\ud800", "é", "1e999", " "])
    )
    return text[:at] + middle + text[at + draw(st.integers(0, 3)) :]


raw = st.one_of(
    st.text(max_size=20),
    st.binary(max_size=20),
    st.builds(
        lambda sign, n: sign * n, st.sampled_from(["[", '{"a":', "[[", "9"]), st.integers(1, 3000)
    ),
    st.builds(lambda n: '{"type":"ping","pad":"' + "x" * n + '"}', st.sampled_from([10, 70_000])),
    st.sampled_from(
        ['{"type":"ping","type":"subscribe"}', '{"type":"ping"}{"type":"ping"}', "\ud800"]
    ),
)
attacks: st.SearchStrategy[list[Frame | dict[str, Any]]] = st.lists(
    st.one_of(frames, frames, bent(), bent(), broken(), raw), min_size=1, max_size=12
)


class Siege:
    """One process with a good client, on which attacks are made one after another."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._records: list[logging.LogRecord] = []
        self._handler = logging.Handler()
        self._handler.emit = self._records.append  # type: ignore[method-assign]
        self._told = 0
        self.frames = 0

    def __enter__(self) -> Siege:
        allow("list")(may_watch_list)
        allow("other")(may_watch_other)
        allow("near")(is_neighbour)
        logging.getLogger().addHandler(self._handler)
        self._runner.run(self._begin())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._end())
        self._runner.close()
        logging.getLogger().removeHandler(self._handler)

    async def _begin(self) -> None:
        self.neighbour = Direct("neighbour", is_good=True)
        self.neighbour.says(wanted(NEIGHBOUR))
        await self.neighbour.until("subscribed")

    async def _end(self) -> None:
        await self.neighbour.leave()
        assert left_behind() == NOTHING
        await close_server()

    def attack(self, attack: Sequence[Frame | dict[str, Any]]) -> None:
        """Let a client send this; only permitted effects may follow."""
        self.frames += len(attack)
        self._runner.run(self._attack(attack))
        problems = [r.getMessage() for r in self._records if r.levelno >= logging.WARNING]
        self._records.clear()
        assert not problems

    async def _attack(self, attack: Sequence[Frame | dict[str, Any]]) -> None:
        client = Direct()
        client.says(*attack)
        get_pubsub().send_now(
            [Message("list:1", {"a.b": {"1": "updated"}}), Message(NEIGHBOUR, _row(self._told))]
        )
        told = await self.neighbour.until("changed", within=LONG)
        assert told["topics"][NEIGHBOUR]["changes"] == {"a.b": {"updated": [str(self._told)]}}
        self._told += 1
        client.says({"type": "ping"})
        while not client.is_closed and {"type": "pong"} not in client.frames:
            await asyncio.sleep(0)
        await client.leave()
        self._judge(client)
        assert left_behind() == {"topics": {NEIGHBOUR}, "connections": 1, "places": 1, "beats": 1}

    def _judge(self, client: Direct) -> None:
        """Only frames of the protocol were sent, and only of topics that may be watched."""
        told = client.frames
        assert {frame["type"] for frame in told} <= TYPES
        assert client.code in (None, 4400, 4413, 4429)
        for frame in told:
            if frame["type"] == "denied":
                assert set(frame["topics"].values()) == {NOT_ALLOWED}
            elif frame["type"] in ("subscribed", "changed"):
                assert all(topic.startswith("list:") for topic in frame["topics"])


def _row(pk: int) -> Any:
    return {"a.b": {str(pk): "updated"}}


async def may_watch_list(user: object, key: int) -> bool:
    return True


def may_watch_other(user: object, key: str) -> bool:
    return False


async def is_neighbour(user: Any, key: int) -> bool:
    return bool(user.pk == "neighbour")
