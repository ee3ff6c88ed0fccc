"""Short rounds: without faults, with each kind of fault, and with sabotaged products.

`make soak` runs long ones.
"""

from __future__ import annotations

import pytest

from tests.convergence.report import Report
from tests.convergence.rounds import Round
from tests.convergence.sabotage import NO_DEPENDS, NO_OUTBOX, RESIGNED, SILENT
from tests.convergence.world import Size

# On a busy machine processes take ten times as long to start.
pytestmark = pytest.mark.timeout(900)

DATABASES = [
    pytest.param("sqlite", marks=pytest.mark.sqlite),
    pytest.param("postgres", marks=pytest.mark.postgres),
]
# `make test` runs a round on SQLite, `make test-long` the same on PostgreSQL too.
ON_ONE = [DATABASES[0], pytest.param("postgres", marks=pytest.mark.long)]
SMALL = Size(clients=12, rate=12)


@pytest.mark.long
@pytest.mark.parametrize("database", DATABASES)
async def test_without_faults_every_client_receives_each_change_once(database: str) -> None:
    """No client is stale or reset, and no change is sent twice."""
    report = await Round(
        seed=1, seconds=5, database=database, size=SMALL, faultless=True, least_commits=30
    ).run()

    assert not report.problems, report.text(most=3)


@pytest.mark.parametrize("database", ON_ONE)
async def test_no_client_is_stale_after_each_kind_of_fault(database: str) -> None:
    """Processes killed and stopped, connections cut, late answers, databases that crash."""
    report = await Round(seed=2, seconds=8, database=database, size=SMALL, least_commits=30).run()

    assert not report.problems, report.text(most=3)


@pytest.mark.long
@pytest.mark.parametrize("database", DATABASES)
async def test_no_client_is_stale_where_messages_go_through_the_outbox(database: str) -> None:
    """A backend outside the database and its relays are killed and stopped too.

    The rounds with Redis do the same.
    """
    report = await Round(
        seed=4, seconds=6, database=database, backend="socket", size=SMALL, least_commits=30
    ).run()

    assert not report.problems, report.text(most=3)


@pytest.mark.sqlite
@pytest.mark.long
@pytest.mark.parametrize("backend", ["redis", "redis-cluster"])
async def test_no_client_is_stale_after_each_kind_of_fault_of_redis(backend: str) -> None:
    """Killed, stopped, flushed, cut off; in a cluster failed over, and its slots moved."""
    report = await Round(seed=5, seconds=8, backend=backend, size=SMALL, least_commits=30).run()

    assert not report.problems, report.text(most=3)


@pytest.mark.sqlite
@pytest.mark.long
@pytest.mark.parametrize("backend", ["redis", "redis-cluster"])
async def test_without_faults_redis_delivers_each_change_once(backend: str) -> None:
    """No client is reset."""
    report = await Round(
        seed=6, seconds=4, backend=backend, size=SMALL, faultless=True, least_commits=20
    ).run()

    assert not report.problems, report.text(most=3)


@pytest.mark.long
async def test_a_product_that_forgets_cursors_is_found() -> None:
    """It subscribes a client that reconnects as if no change had been missed."""
    report = await broken("forget cursors", only=("cut clients", "kill web", "refuse clients"))

    # Such a client was sent `subscribed`, so it claims to be up to date.
    assert report.silently_stale, report.text()
    assert "its last events" in report.text()


@pytest.mark.long
async def test_an_outbox_that_is_switched_off_is_found() -> None:
    """A writer is killed while the backend hangs."""
    report = await broken(NO_OUTBOX, only=("kill unheard writer",), backend="socket")

    assert report.silently_stale, report.text()


@pytest.mark.long
async def test_clients_that_never_ask_again_for_denied_topics_are_found() -> None:
    """They show no rows of topics that they may watch again."""
    report = await broken(RESIGNED, only=("delay clients",))

    assert report.stale, report.text()


@pytest.mark.long
async def test_clients_that_reconnect_and_subscribe_to_nothing_are_found() -> None:
    """They claim to be subscribed still."""
    report = await broken(SILENT, only=("cut clients",))

    assert any(problem.startswith("not quiet") for problem in report.problems), report.text()
    assert report.stale, report.text()


@pytest.mark.long
async def test_ends_of_access_that_no_message_reports_are_found() -> None:
    """The rules have no `depends`."""
    report = await broken(NO_DEPENDS, only=("delay clients",))

    # After a ticket the rule is asked all the same, so a late subscription may be revoked.
    assert report.unaware, report.text()
    assert report.silently_stale, report.text()


@pytest.mark.long
async def test_a_product_that_sends_changes_of_revoked_topics_is_found() -> None:
    """The clients show no wrong row, but received the frames."""
    report = await broken("tell the revoked", faultless=True)

    assert not report.stale, report.text()
    assert report.leaks
    assert f"{report.leaks} frames told of what was revoked or denied" in report.problems


@pytest.mark.long
async def test_a_product_that_sends_each_change_twice_is_found() -> None:
    """No client is stale, but all fetch twice."""
    report = await broken("tell twice", faultless=True)

    assert not report.stale, report.text()
    assert report.repeats
    assert report.problems == [f"{report.repeats} repeats without a fault"]


async def broken(
    sabotage: str,
    *,
    only: tuple[str, ...] = (),
    faultless: bool = False,
    backend: str = "database",
    seconds: float = 5,
    least: int = 4,
) -> Report:
    """Run a sabotaged round, and delete its folder."""
    return await Round(
        seed=3,
        seconds=seconds,
        size=Size(clients=24, rate=20),
        least=least,
        only=only,
        faultless=faultless,
        sabotage=sabotage,
        backend=backend,
        # A denied client asks again after a pause. A short wait: a client may be stale for good.
        quiet_within=20 if faultless else 6,
        patience=1,
        keep=False,
    ).run()
