"""Only members see a list; to other users it does not exist."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.test import Client
from django.urls import reverse

from demo_todo.models import TodoList
from realtime import Topic, allowed
from tests.demo_todo.conftest import ClientOf, titles

PAGES = ["list", "delete-list"]
LIST_EDITS = ["rename-list", "invite", "add-task", "delete-list"]
TASK_EDITS = ["update-task", "reorder-task", "delete-task"]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_a_list_is_not_found_by_others(
    shared: TodoList, alan: User, client_of: ClientOf, name: str
) -> None:
    response = client_of(alan).get(reverse(name, args=[shared.pk]))

    assert response.status_code == 404
    assert b"Shared" not in response.content


@pytest.mark.parametrize("name", LIST_EDITS)
def test_a_list_cannot_be_edited_by_others(
    shared: TodoList, alan: User, client_of: ClientOf, name: str
) -> None:
    posted = {"name": "Mine", "username": "alan", "title": "intruder"}

    response = client_of(alan).post(reverse(name, args=[shared.pk]), posted)

    assert response.status_code == 404
    assert TodoList.objects.get(name="Shared").members.count() == 2
    assert titles(shared) == ["one", "two", "three"]


@pytest.mark.parametrize("name", TASK_EDITS)
def test_a_task_cannot_be_edited_by_others(
    shared: TodoList, alan: User, client_of: ClientOf, name: str
) -> None:
    task = shared.tasks.get(title="two")

    response = client_of(alan).post(reverse(name, args=[task.pk]), {"title": "x", "after": ""})

    assert response.status_code == 404
    assert titles(shared) == ["one", "two", "three"]


@pytest.mark.parametrize("name", [*LIST_EDITS[:-1], *TASK_EDITS])
def test_an_edit_takes_post_only(
    shared: TodoList, ada: User, client_of: ClientOf, name: str
) -> None:
    response = client_of(ada).get(reverse(name, args=[shared.pk]))

    assert response.status_code == 405


@pytest.mark.parametrize("path", ["/", "/mine/", "/lists/1/", "/lists/1/delete/"])
def test_a_page_sends_strangers_to_the_login(client: Client, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 302
    assert response["Location"] == f"{reverse('login')}?next={path}"


def test_an_edit_of_a_stranger_changes_nothing(shared: TodoList, client: Client) -> None:
    response = client.post(reverse("add-task", args=[shared.pk]), {"title": "intruder"})

    assert response.status_code == 302
    assert titles(shared) == ["one", "two", "three"]


def test_only_members_may_watch_a_list(shared: TodoList, ada: User, alan: User) -> None:
    """The topic and the page use the same rule."""
    for family in ("list", "name"):
        topic = Topic.of(family, shared.pk)
        assert allowed(ada, topic)
        assert not allowed(alan, topic)
        assert not allowed(AnonymousUser(), topic)


@pytest.mark.parametrize("family", ["user", "member"])
def test_only_the_user_may_watch_their_own_tasks(ada: User, alan: User, family: str) -> None:
    topic = Topic.of(family, ada.pk)

    assert allowed(ada, topic)
    assert not allowed(alan, topic)
    assert not allowed(AnonymousUser(), topic)
