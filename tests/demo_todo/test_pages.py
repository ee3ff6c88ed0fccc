"""The rows that pages show, and the topics that they watch."""

from __future__ import annotations

import re

from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from demo_todo.models import Task, TodoList
from tests.demo_todo.conftest import ClientOf, make_list


def topics_of(html: str) -> set[str]:
    """Return the topics of the page's one live region."""
    (topics,) = re.findall(r'<live-region id="\w+" topic="([^"]*)">', html)
    return set(topics.split())


def page(client: Client, name: str, *args: object) -> str:
    response = client.get(reverse(name, args=args))
    assert response.status_code == 200
    return response.content.decode()


def test_the_index_watches_my_lists_and_which_they_are(
    shared: TodoList, ada: User, alan: User, client_of: ClientOf
) -> None:
    make_list("Somebody else's", [alan], [])
    shared.tasks.filter(title="one").update(done=True)

    html = page(client_of(ada), "index")

    assert topics_of(html) == {f"member:{ada.pk}", f"list:{shared.pk}"}
    assert "<strong>2</strong> open" in html
    assert "<strong>1</strong> done" in html
    assert "Somebody else" not in html


def test_the_index_says_so_where_there_is_no_list(alan: User, client_of: ClientOf) -> None:
    html = page(client_of(alan), "index")

    assert "No lists yet." in html
    assert topics_of(html) == {f"member:{alan.pk}"}


def test_a_list_watches_itself_and_the_names_of_the_others(
    shared: TodoList, ada: User, client_of: ClientOf
) -> None:
    """The menu of lists to move a task to shows their names; the page does not show their tasks."""
    other = make_list("Other", [ada], ["elsewhere"])

    html = page(client_of(ada), "list", shared.pk)

    assert topics_of(html) == {f"member:{ada.pk}", f"list:{shared.pk}", f"name:{other.pk}"}
    assert "elsewhere" not in html


def test_a_list_shows_done_tasks_below_open_ones(
    shared: TodoList, ada: User, client_of: ClientOf
) -> None:
    shared.tasks.filter(title="one").update(done=True)

    html = page(client_of(ada), "list", shared.pk)

    assert [html.index(f'value="{title}"') for title in ("two", "three", "one")] == sorted(
        html.index(f'value="{title}"') for title in ("one", "two", "three")
    )


def test_a_page_of_tasks_needs_the_same_few_queries_for_any_number(
    shared: TodoList,
    ada: User,
    client_of: ClientOf,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    client = client_of(ada)
    for number in range(50):
        shared.tasks.create(title=f"task {number}", assignee=ada)

    with django_assert_max_num_queries(12):
        page(client, "list", shared.pk)
    with django_assert_max_num_queries(12):
        page(client, "mine")


def test_mine_shows_my_tasks_of_all_lists_the_most_urgent_first(
    shared: TodoList, ada: User, grace: User, client_of: ClientOf
) -> None:
    other = make_list("Other", [ada], [])
    unseen = make_list("No longer mine", [grace], [])
    Task.objects.create(list=shared, title="whenever", assignee=ada)
    Task.objects.create(list=other, title="urgent", assignee=ada, due="2026-01-02")
    Task.objects.create(list=shared, title="graces", assignee=grace)
    Task.objects.create(list=unseen, title="unseen", assignee=ada)

    html = page(client_of(ada), "mine")

    assert html.index('value="urgent"') < html.index('value="whenever"')
    assert "graces" not in html
    assert "unseen" not in html.replace('class="unseen"', "")
    mine = {f"user:{ada.pk}", f"member:{ada.pk}", f"list:{shared.pk}", f"list:{other.pk}"}
    assert topics_of(html) == mine


def test_an_assignee_who_left_is_still_named(
    shared: TodoList, ada: User, grace: User, client_of: ClientOf
) -> None:
    """Otherwise the menu would show the task as unassigned."""
    shared.tasks.filter(title="one").update(assignee=grace)
    shared.memberships.filter(user=grace).delete()

    html = page(client_of(ada), "list", shared.pk)

    assert "grace (left)" in html


def test_the_login_names_the_accounts_in_debug_only(client: Client) -> None:
    assert "live-demo" not in client.get("/login/").content.decode()


@override_settings(DEBUG=False)
def test_an_unknown_address_gets_the_demos_own_page(ada: User, client_of: ClientOf) -> None:
    response = client_of(ada).get("/nowhere/")

    assert response.status_code == 404
    assert "Nothing to see here" in response.content.decode()
