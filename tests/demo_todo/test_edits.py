"""Edits: 204 when saved, 422 with the errors when not; only posted fields are changed."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse

from demo_todo.models import Membership, Task, TodoList
from tests.demo_todo.conftest import ClientOf, make_list, titles

BLANKS = ["", "   ", "\t"]


@pytest.fixture
def ada_client(ada: User, client_of: ClientOf) -> Client:
    return client_of(ada)


def post(client: Client, view: str, pk: int | None = None, /, **posted: object) -> tuple[int, str]:
    """Return the status and the text of the response."""
    response = client.post(reverse(view, args=[] if pk is None else [pk]), posted)
    return response.status_code, response.content.decode()


def test_the_creator_of_a_list_is_its_member(ada_client: Client, ada: User) -> None:
    assert post(ada_client, "create-list", name="New") == (204, "")

    assert list(TodoList.objects.get(name="New").members.all()) == [ada]


@pytest.mark.parametrize("name", BLANKS)
def test_a_list_without_a_name_is_refused(ada_client: Client, name: str) -> None:
    status, answer = post(ada_client, "create-list", name=name)

    assert status == 422
    assert "required" in answer
    assert not TodoList.objects.exists()


def test_a_list_is_renamed(ada_client: Client, shared: TodoList) -> None:
    assert post(ada_client, "rename-list", shared.pk, name="Ours") == (204, "")

    shared.refresh_from_db()
    assert shared.name == "Ours"


def test_an_invited_user_is_a_member(ada_client: Client, shared: TodoList, alan: User) -> None:
    assert post(ada_client, "invite", shared.pk, username="alan") == (204, "")

    assert shared.members.contains(alan)


@pytest.mark.parametrize("username", ["nobody", "grace", "", "alan"])
def test_an_impossible_invitation_is_refused(
    ada_client: Client, shared: TodoList, alan: User, username: str
) -> None:
    """Unknown, already a member, empty, and inactive."""
    User.objects.filter(pk=alan.pk).update(is_active=False)

    status, answer = post(ada_client, "invite", shared.pk, username=username)

    assert status == 422
    assert username in answer
    assert shared.members.count() == 2


def test_a_new_task_goes_to_the_end(ada_client: Client, shared: TodoList) -> None:
    assert post(ada_client, "add-task", shared.pk, title=" four ") == (204, "")

    assert titles(shared) == ["one", "two", "three", "four"]


@pytest.mark.parametrize("title", [*BLANKS, "x" * 201])
def test_an_empty_title_is_refused(ada_client: Client, shared: TodoList, title: str) -> None:
    one = shared.tasks.get(title="one")

    assert post(ada_client, "add-task", shared.pk, title=title)[0] == 422
    assert post(ada_client, "update-task", one.pk, title=title)[0] == 422

    assert titles(shared) == ["one", "two", "three"]


def test_the_database_refuses_empty_names_and_titles(shared: TodoList) -> None:
    with pytest.raises(IntegrityError):
        shared.tasks.create(title="")


def test_a_user_cannot_be_a_member_twice(shared: TodoList, ada: User) -> None:
    with pytest.raises(IntegrityError):
        Membership.objects.create(list=shared, user=ada)


def test_each_field_is_edited_by_itself(ada_client: Client, shared: TodoList, grace: User) -> None:
    """Fields that were not posted stay, an unticked box included."""
    pk = shared.tasks.get(title="one").pk
    for posted in (
        {"done": "true"},
        {"assignee": grace.pk},
        {"due": "2026-12-24"},
        {"title": "first"},
    ):
        assert post(ada_client, "update-task", pk, **posted) == (204, "")

    task = Task.objects.get(pk=pk)
    assert (task.done, task.assignee, task.title) == (True, grace, "first")
    assert task.due == dt.date(2026, 12, 24)
    assert task.list == shared


def test_fields_are_cleared(ada_client: Client, shared: TodoList, ada: User) -> None:
    task = shared.tasks.get(title="one")
    Task.objects.filter(pk=task.pk).update(done=True, assignee=ada, due="2026-01-01")
    for posted in ({"done": "false"}, {"assignee": ""}, {"due": ""}):
        assert post(ada_client, "update-task", task.pk, **posted) == (204, "")

    task.refresh_from_db()
    assert (task.done, task.assignee, task.due) == (False, None, None)


@pytest.mark.parametrize("posted", [{"due": "soon"}, {"assignee": "x"}, {"list": "0"}])
def test_nonsense_is_refused(ada_client: Client, shared: TodoList, posted: dict[str, str]) -> None:
    status, answer = post(ada_client, "update-task", shared.tasks.get(title="one").pk, **posted)

    assert status == 422
    assert answer.strip()


def test_a_task_is_not_assigned_to_others(ada_client: Client, shared: TodoList, alan: User) -> None:
    task = shared.tasks.get(title="one")

    status, answer = post(ada_client, "update-task", task.pk, assignee=alan.pk)

    assert status == 422
    assert "not a member" in answer
    task.refresh_from_db()
    assert task.assignee is None


def test_a_moved_task_goes_to_the_end_of_its_new_list(
    ada_client: Client, shared: TodoList, ada: User
) -> None:
    other = make_list("Other", [ada], ["a", "b"])
    task = shared.tasks.get(title="one")

    assert post(ada_client, "update-task", task.pk, list=other.pk) == (204, "")

    assert titles(other) == ["a", "b", "one"]
    assert titles(shared) == ["two", "three"]


def test_a_task_is_not_moved_to_a_list_of_others(
    ada_client: Client, shared: TodoList, alan: User
) -> None:
    theirs = make_list("Theirs", [alan], [])
    task = shared.tasks.get(title="one")

    assert post(ada_client, "update-task", task.pk, list=theirs.pk)[0] == 422

    assert titles(theirs) == []


def test_a_move_clears_an_assignee_who_is_no_member_of_the_new_list(
    ada_client: Client, shared: TodoList, ada: User, grace: User
) -> None:
    other = make_list("Other", [ada], [])
    task = shared.tasks.get(title="one")
    Task.objects.filter(pk=task.pk).update(assignee=grace)

    assert post(ada_client, "update-task", task.pk, list=other.pk) == (204, "")

    task.refresh_from_db()
    assert (task.list, task.assignee) == (other, None)


def test_a_move_keeps_an_assignee_who_is_a_member_of_the_new_list(
    ada_client: Client, shared: TodoList, ada: User
) -> None:
    other = make_list("Other", [ada], [])
    task = shared.tasks.get(title="one")
    Task.objects.filter(pk=task.pk).update(assignee=ada)

    assert post(ada_client, "update-task", task.pk, list=other.pk) == (204, "")

    task.refresh_from_db()
    assert (task.list, task.assignee) == (other, ada)


def test_an_edit_of_another_field_keeps_an_assignee_who_left_the_list(
    ada_client: Client, shared: TodoList, alan: User
) -> None:
    task = shared.tasks.create(title="old", assignee=alan)

    assert post(ada_client, "update-task", task.pk, title="new") == (204, "")

    task.refresh_from_db()
    assert (task.title, task.assignee) == ("new", alan)


def test_a_task_is_deleted(ada_client: Client, shared: TodoList) -> None:
    assert post(ada_client, "delete-task", shared.tasks.get(title="two").pk) == (204, "")

    assert titles(shared) == ["one", "three"]


def test_a_list_is_deleted_once_confirmed(ada_client: Client, shared: TodoList) -> None:
    url = reverse("delete-list", args=[shared.pk])

    assert "3 tasks" in ada_client.get(url).content.decode()
    assert TodoList.objects.exists()
    assert ada_client.post(url).headers["Location"] == "/"

    assert not TodoList.objects.exists()
    assert not Task.objects.exists()
