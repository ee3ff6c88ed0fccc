"""After any fault of a server, an incomplete replay is never taken for complete.

Hypothesis sends and asks, and does to a real Redis what administrators, crashes and clocks do. The
messages sent are the oracle: a position is answered with all that followed it, or with a reset.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from redis import Redis

from realtime.backends.redis import scripts
from realtime.backends.redis.codec import read_since, text_of
from realtime.backends.redis.keys import Names, partition_of
from realtime.backends.redis.positions import SERVER, ServerPosition
from realtime.backends.redis.scripts import Script
from realtime.messages.message import Message
from realtime.messages.topics import Topic
from tools.redis_servers import RedisServer

pytestmark = [pytest.mark.hypothesis, pytest.mark.sqlite]

NAMES = Names("proof")
TOPICS = [Topic(text) for text in ("list:5", "list:6", "seat:1", "seat:2")]
KEEP, SECONDS, MOST = 6, 3600, 100
CLOCK = "a-clock-that-can-be-set"

topics = st.sampled_from(TOPICS)

SET_CLOCK = f"""
local function time()
  local now = redis.call('TIME')
  return {{ tonumber(now[1]) + (tonumber(redis.call('GET', '{CLOCK}')) or 0), now[2] }}
end
"""


@dataclass
class SentLog:
    """The oracle: the messages sent, in order, and the positions taken in between."""

    topics: list[Topic] = field(default_factory=list)
    positions: list[tuple[ServerPosition, int]] = field(default_factory=list)
    """A position, and how many messages had been sent before it."""


class Proofs(RuleBasedStateMachine):
    """One server that every event happens to."""

    server: RedisServer
    broken = ("", "")
    """A text in the scripts, and its replacement."""
    asked = 0
    proven = 0

    def __init__(self) -> None:
        super().__init__()
        if not self.server.runs:
            self.server.start()
        self.redis = Redis(port=self.server.port)
        self.redis.flushall()
        self.sent = SentLog()
        self.publish_script, self.since_script, self.now_script = map(
            self.changed, (scripts.PUBLISH, scripts.SINCE, scripts.NOW)
        )

    @initialize()
    def begin(self) -> None:
        for topic in TOPICS:
            self.send(topic)

    @rule(topic=topics)
    def send(self, topic: Topic) -> None:
        self._send(topic, SECONDS)

    @rule(topic=topics)
    def send_when_all_before_is_old(self, topic: Topic) -> None:
        self._send(topic, 0)

    @rule(topic=topics, count=st.integers(2, 12))
    def send_many(self, topic: Topic, count: int) -> None:
        for _ in range(count):
            self.send(topic)

    @rule()
    def stand(self) -> None:
        server, commands, time, _ = self._run(self.now_script, ())
        position = ServerPosition(server[:SERVER].decode(), int(commands), int(time))
        self.sent.positions.append((position, len(self.sent.topics)))

    @rule(topic=topics, which=st.integers(0, 9_999))
    def ask(self, topic: Topic, which: int) -> None:
        if self.sent.positions:
            self._ask(topic, *self.sent.positions[which % len(self.sent.positions)])

    @rule()
    def ask_for_all(self) -> None:
        for topic in TOPICS:
            for position in self.sent.positions[-12::3]:
                self._ask(topic, *position)

    # -- events ----------------------------------------------------------------------------------

    @rule()
    def flush(self) -> None:
        self.redis.flushall()

    @rule(topic=topics, which=st.integers(0, 2))
    def delete_a_key(self, topic: Topic, which: int) -> None:
        self.redis.delete(NAMES.keys(topic)[which])

    # An index, not an entry: entries differ between runs of the same steps.
    @rule(topic=topics, which=st.integers(0, 99))
    def delete_an_entry(self, topic: Topic, which: int) -> None:
        key = NAMES.log(topic)
        if entries := self.redis.lrange(key, 0, -1):
            self.redis.lrem(key, 1, entries[which % len(entries)])

    @rule(topic=topics, which=st.integers(1, 3))
    def delete_one_of_three(self, topic: Topic, which: int) -> None:
        self.stand()
        position = self.sent.positions[-1]
        self.send_many(topic, 3)
        key = NAMES.log(topic)
        self.redis.lrem(key, 1, self.redis.lindex(key, -which))
        self._ask(topic, *position)

    @rule(topic=topics, left=st.integers(0, 3))
    def trim(self, topic: Topic, left: int) -> None:
        self.redis.ltrim(NAMES.log(topic), -left or 1, -1 if left else 0)

    @rule(topic=topics)
    def forget_a_topic(self, topic: Topic) -> None:
        self.stand()
        position = self.sent.positions[-1]
        self.send(topic)
        self.redis.zrem(NAMES.index(partition_of(topic)), topic)
        self._ask(topic, *position)

    @rule()
    def lose_the_scripts(self) -> None:
        self.redis.script_flush()

    @rule()
    def kill(self) -> None:
        self.server.restart()

    @rule(lost=st.integers(1, 2_000))
    def kill_and_lose_the_end(self, lost: int) -> None:
        self.server.kill()
        for file in sorted(self.server.folder.glob("appendonlydir/*.incr.aof")):
            with file.open("r+b") as handle:
                handle.truncate(max(0, file.stat().st_size - lost))
        self.server.start()

    # ------------------------------------------------------------------------------------------

    def _send(self, topic: Topic, seconds: int) -> None:
        self.stand()
        number = str(len(self.sent.topics))
        text = text_of(Message(topic, {"a.b": {number: "updated"}}))
        self._run(self.publish_script, NAMES.keys(topic), topic, text, KEEP, seconds)
        self.sent.topics.append(topic)
        # The position of a client that received it.
        self.stand()

    def _ask(self, topic: Topic, position: ServerPosition, before: int) -> None:
        reply = self._run(self.since_script, NAMES.keys(topic), topic, *position, MOST)
        answer = read_since(topic, reply)
        type(self).asked += 1
        if not answer.reason:
            type(self).proven += 1
            told = {pk for sent in answer.sent for pk in sent.message.changes["a.b"]}
            due = {
                str(number)
                for number, other in enumerate(self.sent.topics)
                if number >= before and other == topic
            }
            assert due <= told, f"missed {sorted(due - told)} since {position}"
        # A client that was answered has this position.
        self.sent.positions.append((answer.position, len(self.sent.topics)))

    def changed(self, script: Script) -> Script:
        """Return a script whose clock the test can set, broken or not."""
        text = script.text.replace("redis.call('TIME')\n", "time()\n", 1)
        return Script(SET_CLOCK + text.replace(*self.broken))

    def _run(self, script: Script, keys: tuple[str, ...], *arguments: object) -> Any:
        return self.redis.eval(script.text, len(keys), *keys, *arguments)

    def teardown(self) -> None:
        self.redis.close()


class Clock(Proofs):
    """A server whose clock is set."""

    @rule(topic=topics, by=st.integers(-100, 100))
    def set_the_clock(self, topic: Topic, by: int) -> None:
        self.stand()
        position = self.sent.positions[-1]
        self.redis.incrby(CLOCK, by)
        self.send(topic)
        self._ask(topic, *position)


class Statistics(Proofs):
    """A server whose counts are reset. If its clock were set back too, nothing could be proven."""

    @rule(topic=topics, before=st.integers(0, 300), after=st.integers(0, 3_000))
    def reset_the_statistics(self, topic: Topic, before: int, after: int) -> None:
        self.stand()
        position = self.sent.positions[-1]
        self.redis.config_resetstat()
        self._be_busy(before)
        self.send(topic)
        self._be_busy(after)
        self._ask(topic, *position)

    def _be_busy(self, commands: int) -> None:
        """Let the server's count of commands grow."""
        self.redis.eval("for _ = 1, ARGV[1] do redis.call('TIME') end", 0, commands)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer("--auto-aof-rewrite-percentage", "0", durable=True) as server:
        yield server


def run_machine(server: RedisServer, examples: int, machine: type[Proofs], **more: Any) -> None:
    machine.server = server
    chosen = settings(
        max_examples=examples, stateful_step_count=40, deadline=None, database=None, **more
    )
    run_state_machine_as_test(machine, settings=chosen)


@pytest.mark.parametrize("machine", [Clock, Statistics])
def test_a_replay_is_empty_only_if_nothing_was_missed(
    server: RedisServer, machine: type[Proofs]
) -> None:
    """It is used, too: a backend that always resets would pass otherwise."""
    run_machine(server, settings().max_examples // 4, machine)

    assert machine.proven > machine.asked / 10


BROKEN = {
    "a lost index": (
        "if known and redis.call('ZCARD', index) == state.topics then",
        "if known then",
    ),
    "the floor": ("if not is_before(state.floor_commands, state.floor_time) then", "if false then"),
    "a hole": ("if tonumber(number) ~= due or", "if"),
    "the end": (
        "if due ~= 0 and #entries < PAGE then",
        "if due ~= 0 and #entries < PAGE then break end if false then",
    ),
    "the clock alone": ("its_commands < commands and its_time < time", "its_time < time"),
    "the count alone": ("its_commands < commands and its_time < time", "its_commands < commands"),
}


@pytest.mark.long
@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_script_is_detected(server: RedisServer, broken: str) -> None:
    """Each part of the check is needed."""
    base = Statistics if broken == "the count alone" else Clock
    machine = type("Broken", (base,), {"broken": BROKEN[broken]})

    with pytest.raises(AssertionError, match="missed"):
        run_machine(server, 2_000, machine, phases=[Phase.generate])
