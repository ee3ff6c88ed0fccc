"""Serving processes answer the questions of other processes."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from unittest import mock

import msgspec
import pytest
import pytest_asyncio

from realtime import allow
from realtime.backends.memory import MemoryPubSub
from realtime.exceptions import InvalidRule
from realtime.hub import observers
from realtime.messages.message import Message
from realtime.messages.topics import Topic
from realtime.ops import rpc
from realtime.ops.process import process_name
from realtime.ops.rpc import ASKED, MOST_AT_ONCE, Answering, Question, ask
from realtime.server import Server, close_server, server_of
from tests.realtime.hub.listening import LIST, mailbox, send, until, within
from tests.realtime.transports import connection_of


@pytest.fixture(autouse=True)
def as_the_projects(pubsub: MemoryPubSub) -> Iterator[Answering]:
    observer = Answering()
    observers.register(observer)
    with mock.patch("realtime.ops.rpc.get_pubsub", return_value=pubsub):
        yield observer


@pytest_asyncio.fixture
async def serving(pubsub: MemoryPubSub) -> AsyncIterator[Server]:
    """This loop's server, listening, with a client."""
    server = server_of(make=lambda: pubsub)
    await within(server.hub.subscribe(mailbox(), LIST))
    client = connection_of(None, server.hub)
    server.connections.add(client)
    yield server
    server.connections.remove(client)
    await within(close_server())


def question(what: str, asker: str = "me") -> Message:
    return Message(ASKED, extra={"what": what, "asker": asker})


async def first_answer(pubsub: MemoryPubSub) -> dict[str, object]:
    async with aclosing(ask(pubsub, "status")) as answers:
        assert await within(anext(answers)) is None
        answer: dict[str, object] = await within(anext(answers))
        return answer


async def test_a_process_reports_its_status(pubsub: MemoryPubSub, serving: Server) -> None:
    """Its name, and the number of its clients."""
    answer = await first_answer(pubsub)

    assert (answer["pid"], answer["topics"], answer["connections"]) == (os.getpid(), 1, 1)


@pytest.mark.parametrize(
    "extra",
    [None, "status", {"what": "status"}, {"what": 5, "asker": "me"}, {"what": "?", "asker": "me"}],
    ids=repr,
)
async def test_an_unknown_question_is_ignored(
    extra: object, pubsub: MemoryPubSub, serving: Server
) -> None:
    """Another version may have sent it; the question after it is answered."""
    since = pubsub.position()
    send(pubsub, Message(ASKED, extra=extra))

    await first_answer(pubsub)

    assert serving.hub._upstream is not None
    assert not await serving.hub._upstream.replay([Question("?", "me").answers], since)


@pytest.mark.parametrize(
    "to", ["", socket.gethostname(), process_name()], ids=["all", "host", "process"]
)
async def test_a_process_asked_by_name_answers(
    to: str, pubsub: MemoryPubSub, serving: Server
) -> None:
    """By the name of the process, or of its host."""
    async with aclosing(ask(pubsub, "status", to)) as answers:
        assert await within(anext(answers)) is None
        assert (await within(anext(answers)))["pid"] == os.getpid()


async def test_a_question_to_another_process_is_ignored(
    pubsub: MemoryPubSub, serving: Server
) -> None:
    """The question after it is answered."""
    since = pubsub.position()
    for to in ("elsewhere", f"{socket.gethostname()}:0"):
        send(pubsub, Message(ASKED, extra={"what": "status", "asker": "me", "to": to}))

    await first_answer(pubsub)

    assert serving.hub._upstream is not None
    assert not await serving.hub._upstream.replay([Question("status", "me").answers], since)


async def test_arguments_of_a_question_are_passed_on(pubsub: MemoryPubSub, serving: Server) -> None:
    """To the function that answers it."""
    async with aclosing(ask(pubsub, "topics", arguments={"limit": 0})) as answers:
        assert await within(anext(answers)) is None
        answer = await within(anext(answers))

    assert answer == {"process": process_name(), "total": 1, "topics": []}


async def test_a_question_that_comes_twice_is_answered_once(
    pubsub: MemoryPubSub, serving: Server
) -> None:
    """A command undone meanwhile is not repeated."""
    drain = {"what": "drain", "asker": "me", "arguments": {"seconds": 10}}
    send(pubsub, Message(ASKED, extra=drain))
    await until(lambda: serving.connections.draining)
    serving.drain.end()

    send(pubsub, Message(ASKED, extra=drain))

    await first_answer(pubsub)
    assert not serving.connections.draining


async def test_questions_are_not_remembered_without_end(
    pubsub: MemoryPubSub, serving: Server, as_the_projects: Answering
) -> None:
    """However many arrive."""
    with mock.patch.object(rpc, "MOST_KNOWN", 3):
        for _ in range(5):
            await first_answer(pubsub)

    assert len(as_the_projects._known) == 3


async def test_not_everything_is_answered_at_once(
    pubsub: MemoryPubSub, serving: Server, as_the_projects: Answering
) -> None:
    """A backend that hangs delays some answers, and uses bounded memory."""
    hanging = asyncio.Event()

    async def hang(*_: object) -> None:
        await hanging.wait()

    with mock.patch.object(rpc, "send", hang):
        send(pubsub, *(question("status", str(number)) for number in range(50)))
        await until(lambda: len(as_the_projects._tasks) == MOST_AT_ONCE)
        hanging.set()
        await until(lambda: not as_the_projects._tasks)

    await first_answer(pubsub)


async def test_an_answer_that_fails_is_logged(
    pubsub: MemoryPubSub, serving: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """Other questions are answered."""
    with mock.patch.dict(rpc.CALLS, {"wrong": lambda hub: 1 / 0}):
        send(pubsub, question("wrong"))
        await first_answer(pubsub)

    assert "cannot answer the question: wrong" in caplog.text


def test_a_question_has_a_topic_for_its_answers() -> None:
    """A topic that belongs to the question."""
    asked = Question("status", "me")

    assert asked.answers == Topic("realtime:answers/me")
    assert msgspec.to_builtins(asked) == {"what": "status", "asker": "me"}


@pytest.mark.parametrize("pattern", ["realtime", "realtime:asked", "realtime:answers"])
def test_no_rule_lets_clients_watch_questions(pattern: str, no_rules: None) -> None:
    """Messages between processes are not for clients."""
    with pytest.raises(InvalidRule, match="which is reserved"):
        allow(pattern)(lambda user, *parts: True)
