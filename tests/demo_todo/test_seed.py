"""`manage.py seed` fills an empty demo, and does not change a used one."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from demo_todo.models import Membership, Task, TodoList


@pytest.fixture
def seeded(db: None, capsys: pytest.CaptureFixture[str]) -> str:
    """The output of the first run."""
    call_command("seed")
    return capsys.readouterr().out


def test_seed_makes_three_users_who_can_log_in(seeded: str) -> None:
    users = User.objects.in_bulk(field_name="username")

    assert set(users) == {"ada", "grace", "alan"}
    assert all(user.check_password("live-demo") for user in users.values())
    assert [name for name, user in users.items() if user.is_staff] == ["ada"]
    assert users["ada"].is_superuser


def test_seed_makes_lists_with_members_and_tasks(seeded: str) -> None:
    assert TodoList.objects.count() == 3
    assert Task.objects.count() == 12
    for task in Task.objects.exclude(assignee=None):
        assert Membership.objects.filter(list=task.list, user=task.assignee).exists()


def test_seed_prints_one_line(seeded: str) -> None:
    assert len(seeded.splitlines()) == 1


def test_seed_again_changes_nothing_and_brings_nothing_back(seeded: str) -> None:
    ada = User.objects.get(username="ada")
    ada.set_password("my own")
    ada.save()
    Task.objects.filter(title="Oat milk").delete()
    TodoList.objects.filter(pk=TodoList.objects.last().pk).update(name="Groceries")

    call_command("seed")

    assert User.objects.get(username="ada").check_password("my own")
    assert (User.objects.count(), TodoList.objects.count(), Task.objects.count()) == (3, 3, 11)
