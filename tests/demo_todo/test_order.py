"""The order of a list: a task gets the middle between its neighbours, while there is one."""

from __future__ import annotations

import itertools
import random

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from demo_todo.models import SMALLEST_GAP, TodoList
from tests.demo_todo.conftest import ClientOf, make_list, titles


def place(todo_list: TodoList, title: str, after: str | None) -> None:
    task = todo_list.tasks.get(title=title)
    task.place_after(todo_list.tasks.get(title=after) if after else None)


@pytest.mark.parametrize(
    ("title", "after", "expected"),
    [
        ("three", None, ["three", "one", "two"]),
        ("three", "one", ["one", "three", "two"]),
        ("one", "three", ["two", "three", "one"]),
        ("one", "two", ["two", "one", "three"]),
        ("two", "one", ["one", "two", "three"]),
        ("one", None, ["one", "two", "three"]),
    ],
)
def test_a_task_stands_behind_the_one_named(
    shared: TodoList, title: str, after: str | None, expected: list[str]
) -> None:
    place(shared, title, after)

    assert titles(shared) == expected


def test_only_the_moved_task_is_written(shared: TodoList) -> None:
    place(shared, "three", "one")

    assert list(shared.tasks.values_list("position", flat=True)) == [0.0, 0.5, 1.0]


def test_the_only_task_of_a_list_can_be_placed(ada: User) -> None:
    todo_list = make_list("Short", [ada], ["only"])

    place(todo_list, "only", None)

    assert titles(todo_list) == ["only"]


def test_the_list_is_renumbered_where_a_gap_is_used_up(shared: TodoList) -> None:
    for title in ["two", "three"] * 60:
        place(shared, title, "one")

    positions = list(shared.tasks.values_list("position", flat=True))
    gaps = [below - above for above, below in itertools.pairwise(positions)]
    assert titles(shared) == ["one", "three", "two"]
    assert min(gaps) >= SMALLEST_GAP / 2


def test_tasks_at_the_same_position_can_be_told_apart(shared: TodoList) -> None:
    """Two people may add a task at the same moment."""
    shared.tasks.update(position=7.0)

    place(shared, "three", "one")

    assert titles(shared) == ["one", "three", "two"]


def test_any_sequence_of_moves_ends_as_it_would_in_a_plain_list(shared: TodoList) -> None:
    expected = titles(shared)
    chance = random.Random(7)
    for _ in range(200):
        title = chance.choice(expected)
        expected.remove(title)
        after = chance.choice([None, *expected])
        expected.insert(expected.index(after) + 1 if after else 0, title)

        place(shared, title, after)

        assert titles(shared) == expected


def test_reordering_is_an_edit(shared: TodoList, ada: User, client_of: ClientOf) -> None:
    one, three = shared.tasks.get(title="one"), shared.tasks.get(title="three")
    url = reverse("reorder-task", args=[three.pk])

    assert client_of(ada).post(url, {"after": one.pk}).status_code == 204
    assert titles(shared) == ["one", "three", "two"]
    assert client_of(ada).post(url, {"after": ""}).status_code == 204
    assert titles(shared) == ["three", "one", "two"]


def test_a_task_cannot_stand_behind_itself_or_one_of_another_list(
    shared: TodoList, ada: User, client_of: ClientOf
) -> None:
    other = make_list("Other", [ada], ["elsewhere"])
    one = shared.tasks.get(title="one")
    url = reverse("reorder-task", args=[one.pk])
    for after in (one.pk, other.tasks.get().pk, "x"):
        assert client_of(ada).post(url, {"after": after}).status_code == 422

    assert titles(shared) == ["one", "two", "three"]
