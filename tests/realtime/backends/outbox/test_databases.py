"""Several databases: each has an outbox of its own, and all are swept."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime.models import OutboxRecord
from tests.realtime.backends.outbox.conftest import PATIENCE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]

ROW = '[{"topic": "list:5", "changes": {"a.b": {"left": "left"}}}]'


@pytest.fixture
def other(tmp_path: Path) -> dict[str, str]:
    """Settings of a process that name a second database, without any table."""
    return {"OTHER_DB": str(tmp_path / "other.sqlite3")}


@pytest.fixture
def migrated(run, other) -> dict[str, str]:
    """Settings that name a second database with the outbox's table."""
    arguments = ("migrate", "realtime", "--database", "other", "--skip-checks")
    _, error = run("manage.py", *arguments, **other).communicate(timeout=PATIENCE)
    assert not error
    return other


def test_messages_committed_on_another_database_are_sent(writer, migrated, server) -> None:
    """Its row is stored there."""
    writer("end", "one", "other", **migrated).communicate(timeout=PATIENCE)

    assert server.told() == ["one"]


@pytest.mark.long
def test_rows_left_by_a_crash_on_another_database_are_found(run, writer, migrated, server) -> None:
    """Beside the rows on the first, and without the uncommitted ones."""
    for step, alias in (("after", "other"), ("before", "other"), ("after", "default")):
        writer(step, f"{step} {alias}", alias, **migrated).kill()

    relay = run("manage.py", "realtime_relay", "--once", **migrated)
    out, error = relay.communicate(timeout=PATIENCE)

    assert (out, error) == ("Sent 2, 0 are left.\n", "")
    assert sorted(server.told()) == ["after default", "after other"]


@pytest.mark.long
def test_a_database_without_the_table_sends_from_memory(writer, other, server) -> None:
    """It logs that nothing is stored there."""
    process = writer("end", "one", "other", **other)
    _, error = process.communicate(timeout=PATIENCE)

    assert server.told() == ["one"]
    assert error.count("no messages are stored on 'other'") == 1


@pytest.mark.long
def test_a_database_that_fails_holds_up_no_other(run, migrated, server) -> None:
    """The exit code reports it."""
    OutboxRecord.objects.create(payload=ROW)
    Path(migrated["OTHER_DB"]).write_text("This is no database." * 100)

    relay = run("manage.py", "realtime_relay", "--once", "--skip-checks", **migrated)
    _, error = relay.communicate(timeout=PATIENCE)

    assert server.told() == ["left"]
    assert relay.returncode == 1
    assert "cannot be read on other" in error
