"""The messages of `manage.py check` about Redis, and invalid options."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from realtime.backends.redis import RedisPubSub
from tools.redis_servers import RedisServer

pytestmark = pytest.mark.sqlite


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def found(url: str) -> list[str]:
    pubsub = RedisPubSub(url, timeout=1)
    return [str(problem.id) for problem in pubsub.check()]


def test_a_server_as_it_should_be_is_not_reported(server: RedisServer) -> None:
    """A default installation without persistence."""
    server.ask("CONFIG SET", "maxmemory-policy", "noeviction")
    server.ask("CONFIG SET", "appendonly", "no")

    assert found(server.url) == []


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("maxmemory-policy", "allkeys-lru", "realtime.W006"),
        ("appendonly", "yes", "realtime.I001"),
    ],
)
def test_settings_that_should_differ_are_reported(
    server: RedisServer, name: str, value: str, says: str
) -> None:
    """A warning where clients would be reset, and advice where they would not."""
    before = server.ask("CONFIG GET", name)[name]
    server.ask("CONFIG SET", name, value)
    try:
        assert found(server.url) == [says]
    finally:
        server.ask("CONFIG SET", name, before)


def test_a_server_that_is_away_is_no_obstacle() -> None:
    """It only was not checked."""
    assert found("redis://127.0.0.1:1/0") == ["realtime.W005"]


def test_a_server_that_tells_no_settings_is_taken_as_it_is(server: RedisServer) -> None:
    """Hosted servers often do not."""
    server.ask("ACL SETUSER", "guest", "on", ">secret", "~*", "&*", "+@all", "-config")
    url = server.url.replace("redis://", "redis://guest:secret@")

    assert found(url) == []


@pytest.mark.parametrize(
    "options",
    [
        {"url": "http://localhost"},
        {"url": []},
        {"url": [3]},
        {"keep": 0},
        {"retention": -1},
        {"timeout": "long"},
    ],
    ids=repr,
)
def test_options_that_could_not_work_are_refused(options: dict[str, object]) -> None:
    """At start-up, in the backend's check."""
    with pytest.raises(ValueError, match="expected|must"):
        RedisPubSub(**options)  # type: ignore[arg-type]


def test_passwords_are_not_in_errors(server: RedisServer) -> None:
    """Many people read a log."""
    url = server.url.replace("redis://", "redis://nobody:very-secret@")

    (problem,) = RedisPubSub(url, timeout=1).check()

    assert "very-secret" not in str(problem)
