"""A process is killed: its messages are sent if and only if its changes were committed."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.db import connection

from realtime.models import OutboxRecord
from tests.realtime.backends.outbox.conftest import PATIENCE, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]


def committed() -> list[str]:
    return sorted(Group.objects.values_list("name", flat=True))


@pytest.mark.long
def test_killed_before_its_commit_nothing_is_sent(writer, relay_once, server) -> None:
    """Neither the row nor its message existed."""
    writer("before").kill()
    writer("end", "sentinel").communicate(timeout=PATIENCE)

    relay_once()

    assert committed() == ["sentinel"]
    assert server.told() == ["sentinel"]


def test_killed_after_its_commit_another_process_sends(writer, relay_once, server) -> None:
    """The row of the outbox stayed."""
    process = writer("after")
    assert server.told() == []
    process.kill()

    relay_once()

    assert committed() == ["one"]
    assert server.told() == ["one"]
    assert not OutboxRecord.objects.exists()


@pytest.mark.long
def test_killed_before_its_row_was_deleted_it_is_sent_again(writer, relay_once, server) -> None:
    """A duplicate is harmless."""
    process = writer("sent")
    assert server.told() == ["one"]
    assert OutboxRecord.objects.count() == 1
    process.kill()

    relay_once()

    assert server.told() == ["one", "one"]
    assert not OutboxRecord.objects.exists()


@pytest.mark.long
def test_a_running_relay_finds_rows_left_by_a_crash(run, writer, server) -> None:
    """By its sweeps; it ends with success when asked to."""
    relay = run("manage.py", "realtime_relay")
    assert relay.stdout.readline() == "Sending the messages left in the outbox.\n"

    writer("after").kill()
    until(lambda: not OutboxRecord.objects.exists())

    assert server.told() == ["one"]
    relay.terminate()
    assert relay.wait(PATIENCE) == 0


@pytest.mark.long
@pytest.mark.parametrize("end", ["terminate", "SIGINT"])
def test_a_relay_ends_while_the_backend_hangs(run, writer, server, end) -> None:
    """It does not wait for the backend."""
    writer("after").kill()
    server.freeze()
    relay = run("manage.py", "realtime_relay")
    relay.stdout.readline()

    relay.send_signal(2 if end == "SIGINT" else 15)

    assert relay.wait(PATIENCE) == 0
    server.thaw()


def test_a_process_that_ends_sends_its_committed_messages(writer, server) -> None:
    """So the messages of a management command need no relay process."""
    process = writer("end")

    _, error = process.communicate(timeout=PATIENCE)

    assert (process.returncode, error) == (0, "")
    assert server.told() == ["one"]
    assert not OutboxRecord.objects.exists()


@pytest.mark.long
def test_a_process_that_ends_does_not_wait_for_a_backend_that_hangs(
    writer, server, relay_once
) -> None:
    """The next sweep sends the rest."""
    server.freeze()
    process = writer("end")
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    server.thaw()

    relay_once()

    assert set(server.told()) == {"one"}


@pytest.mark.long
def test_relay_once_fails_where_the_backend_is_away(run, writer, server) -> None:
    """Its exit code reports it, and the rows stay."""
    writer("after").kill()
    until(lambda: OutboxRecord.objects.exists())
    server.kill()
    relay = run("manage.py", "realtime_relay", "--once")

    _, error = relay.communicate(timeout=PATIENCE)

    assert relay.returncode == 1
    assert "did not take messages" in error
    assert "1 are left" in error
    assert OutboxRecord.objects.count() == 1


@pytest.mark.long
def test_a_forked_process_has_a_relay_of_its_own(writer, server) -> None:
    """A fork has no copy of the parent's thread, and the parent's goes on."""
    process = writer("fork")

    _, error = process.communicate(timeout=PATIENCE)

    assert (process.returncode, error) == (0, "")
    assert server.told() == ["parent", "child", "parent again"]


@pytest.mark.postgres
def test_a_relay_that_is_stopped_holds_up_no_other(writer, relay_once, run, server) -> None:
    """Its rows are locked, and skipped; they are sent when it continues or dies."""
    stopped = writer("sent", "locked")
    writer("after", "free").kill()

    out, error = run("manage.py", "realtime_relay", "--once").communicate(timeout=PATIENCE)
    until(lambda: "free" in server.told() or run("manage.py", "realtime_relay", "--once").wait())

    assert server.told() == ["locked", "free"], (out, error)
    assert OutboxRecord.objects.count() == 1
    stopped.kill()
    relay_once()
    assert server.told() == ["locked", "free", "locked"]


@pytest.mark.postgres
def test_two_relays_share_the_work(run, server) -> None:
    """Each row is sent at least once, and here only once, since it is locked meanwhile."""
    rows = ({"topic": "list:5", "changes": {"a.b": {str(n): "left"}}} for n in range(3000))
    OutboxRecord.objects.bulk_create(
        OutboxRecord(payload="[" + str(row).replace("'", '"') + "]") for row in rows
    )

    relays = [run("manage.py", "realtime_relay", "--once") for _ in range(2)]
    sent = [int(relay.communicate(timeout=PATIENCE)[0].split()[1].strip(",")) for relay in relays]

    assert connection.vendor == "postgresql"
    assert sum(sent) == 3000
    assert sorted(map(int, server.told())) == list(range(3000))
    assert not OutboxRecord.objects.exists()
