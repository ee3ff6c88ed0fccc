"""Reads on replicas, and the header of live responses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Group
from django.core.signals import request_started
from django.db import router
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory, override_settings

from realtime import aposition, awatch, position, watch
from realtime.backends.memory import MemoryPubSub
from realtime.checks import check_routers
from realtime.middleware import LiveResponses
from realtime.pages.replicas import forget, must_be_fresh


class Replicas:
    """The router of a project with a replica."""

    def db_for_read(self, model: object, **hints: Any) -> str:
        return "replica"

    def db_for_write(self, model: object, **hints: Any) -> str:
        return "primary"


@pytest.fixture(autouse=True)
def with_replicas(pubsub: MemoryPubSub) -> Iterator[None]:
    forget()
    routers = ["realtime.pages.replicas.FreshReads", f"{__name__}.Replicas"]
    with (
        override_settings(DATABASE_ROUTERS=routers),
        mock.patch("realtime.pages.watch.get_pubsub", return_value=pubsub),
    ):
        yield
    forget()


def test_reads_go_to_the_replica_as_long_as_nothing_is_live() -> None:
    """Those of other pages."""
    assert router.db_for_read(Group) == "replica"


@pytest.mark.django_db
def test_reads_after_a_position_go_to_the_primary() -> None:
    """A replica may not have the rows that the position covers."""
    position()

    assert router.db_for_read(Group) == "primary"


@pytest.mark.django_db
def test_reads_of_a_page_that_watches_go_to_the_primary(rf: RequestFactory) -> None:
    """From its first `watch()` on, which takes a position."""
    request = rf.get("/")
    watch(request, "list", 5)
    assert router.db_for_read(Group) == "primary"


@pytest.mark.django_db
def test_async_views_read_from_the_primary_too(rf: RequestFactory) -> None:
    """The position is taken in a thread, and later reads are not."""

    async def view() -> tuple[str, str]:
        forget()
        await aposition()
        behind = router.db_for_read(Group)
        forget()
        await awatch(rf.get("/"), "list", 5)
        return behind, router.db_for_read(Group)

    assert async_to_sync(view)() == ("primary", "primary")


@pytest.mark.django_db
def test_the_next_request_of_the_thread_begins_anew() -> None:
    """A server's threads serve many requests."""
    position()
    assert must_be_fresh()

    request_started.send(sender=None, environ={"REQUEST_METHOD": "GET"})

    assert router.db_for_read(Group) == "replica"


class Sharded:
    """The router of a project with several databases and no replica."""

    def db_for_read(self, model: object, **hints: Any) -> str:
        return "other"

    db_for_write = db_for_read


FRESH, REPLICAS, SHARDED = (
    "realtime.pages.replicas.FreshReads",
    f"{__name__}.Replicas",
    f"{__name__}.Sharded",
)


@pytest.mark.parametrize(
    ("routers", "found"),
    [
        ([REPLICAS], ["realtime.W003"]),
        ([REPLICAS, FRESH], ["realtime.W003"]),
        ([FRESH, REPLICAS], []),
        ([SHARDED], []),
        ([], []),
    ],
)
def test_replicas_without_fresh_reads_are_noticed(routers: list[str], found: list[str]) -> None:
    """Also if the router comes too late in the list; never without replicas."""
    with override_settings(DATABASE_ROUTERS=routers):
        assert [problem.id for problem in check_routers()] == found


def live(request: HttpRequest) -> HttpResponse:
    watch(request, "list", 5)
    return HttpResponse()


async def live_too(request: HttpRequest) -> HttpResponse:
    await awatch(request, "list", 5)
    return HttpResponse()


@pytest.mark.django_db(transaction=True)
def test_a_live_response_has_its_position(rf: RequestFactory, pubsub: MemoryPubSub) -> None:
    """And caches may not store it."""
    response = LiveResponses(live)(rf.get("/"))

    assert isinstance(response, HttpResponse)
    assert response["Live-Position"] == str(pubsub.position())
    assert "no-store" in response["Cache-Control"]


@pytest.mark.django_db(transaction=True)
def test_a_live_response_of_an_async_view_has_its_position(
    rf: RequestFactory, pubsub: MemoryPubSub
) -> None:
    """By the same middleware."""

    async def respond() -> Any:
        return await LiveResponses(live_too)(rf.get("/"))  # type: ignore[misc]

    assert async_to_sync(respond)()["Live-Position"] == str(pubsub.position())


def test_other_responses_are_left_alone(rf: RequestFactory) -> None:
    """They show no data that changes live."""
    response = LiveResponses(lambda request: HttpResponse())(rf.get("/"))

    assert isinstance(response, HttpResponse)
    assert "Live-Position" not in response
    assert "Cache-Control" not in response
