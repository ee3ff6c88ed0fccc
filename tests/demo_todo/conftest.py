"""The users and the list of the demo's tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from demo_todo.models import TodoList

ClientOf = Callable[[User], Client]


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada")


@pytest.fixture
def grace(db: None) -> User:
    return User.objects.create_user("grace")


@pytest.fixture
def alan(db: None) -> User:
    """A user who is not a member of any list."""
    return User.objects.create_user("alan")


@pytest.fixture
def shared(ada: User, grace: User) -> TodoList:
    """A list of ada's and grace's with the tasks one, two and three."""
    return make_list("Shared", [ada, grace], ["one", "two", "three"])


@pytest.fixture
def client_of() -> ClientOf:
    """`client_of(ada)`: a client logged in as ada."""

    def make(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return make


def make_list(name: str, members: list[User], titles: list[str]) -> TodoList:
    todo_list = TodoList.objects.create(name=name)
    for user in members:
        todo_list.memberships.create(user=user)
    for position, title in enumerate(titles):
        todo_list.tasks.create(title=title, position=position)
    return todo_list


def titles(todo_list: TodoList) -> list[str]:
    return list(todo_list.tasks.values_list("title", flat=True))
