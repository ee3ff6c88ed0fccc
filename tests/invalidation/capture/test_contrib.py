"""Writes by the apps that come with Django."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client, TestCase

from demo_todo.models import TodoList
from invalidation.testing import capture_invalidations
from invalidation.tracking import registry as tracking
from invalidation.transactions.journal import journal_of
from tests.invalidation.told import Told, lines
from tests.shop.models import Product, Shelf

CHANGELIST = "/admin/demo_todo/todolist/"


@pytest.fixture
def todo_lists(transactional_db):
    """Return two lists."""
    return [TodoList.objects.create(name="one"), TodoList.objects.create(name="two")]


def left_or(verb, rows):
    """Return the lines of the lists: left, or another verb."""
    return set().union(*(lines(row, verb, f"list:{row.pk}", f"name:{row.pk}") for row in rows))


def act(client, action, rows):
    """Post an admin action for the chosen rows."""
    chosen = {"action": action, "_selected_action": [row.pk for row in rows], "post": "yes"}
    assert client.post(CHANGELIST, chosen).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_admins_delete_selected_is_told(admin_client, todo_lists):
    """It deletes a QuerySet; the entries of the admin's log are not tracked."""
    told = Told()

    act(admin_client, "delete_selected", todo_lists)

    assert set().union(*told.records()) == left_or("left", todo_lists)


@pytest.mark.django_db(transaction=True)
def test_admins_own_actions_are_told(admin_client, todo_lists, monkeypatch):
    """A project's own action, here an update."""

    def rename(modeladmin, request, queryset):
        queryset.update(name="renamed")

    monkeypatch.setattr(admin.site.get_model_admin(TodoList), "actions", [rename])
    told = Told()

    act(admin_client, "rename", todo_lists[:1])

    assert told() == left_or("updated", todo_lists[:1])


@pytest.fixture
def users_tracked(monkeypatch):
    """Track users, as a project may do."""
    known = dict(tracking.registry.declarations)
    monkeypatch.setattr(tracking, "registry", tracking.Registry(known))
    tracking.track(get_user_model(), "staff:{is_staff}")


@pytest.mark.django_db(transaction=True)
def test_login_is_told_of_a_tracked_user(users_tracked, django_user_model):
    """A login saves `last_login`; sessions are not tracked."""
    user = django_user_model.objects.create_user("ada", password="x")
    told = Told()

    assert Client().login(username="ada", password="x")

    assert told() == lines(user, "updated", "staff:False")


def all_told():
    """Return the lines of all records."""
    told = Told()
    told._seen = 0
    return set().union(*told.records())


class FixtureTests(TestCase):
    """Tests whose fixtures Django loads first."""

    fixtures = ["shop_rows"]

    def test_rows_are_there_and_nothing_is_told(self) -> None:
        """Fixtures are loaded in a transaction that never commits."""
        self.assertEqual(Product.objects.get().shelf.name, "fixed")
        told = [entry.model for entry in journal_of(connection).entries()]
        self.assertEqual(set(told), {Shelf, Product})
        self.assertNotIn("model:shop.shelf shop.shelf 7 entered", all_told())

    def test_captured_messages_do_not_include_fixtures(self) -> None:
        """Only the block's own writes are captured."""
        with capture_invalidations() as told:
            Product.objects.update(maker="y")

        self.assertLessEqual({"maker:x", "maker:y", "shelf:7"}, told.topics)
        self.assertNotIn("model:shop.shelf", told.topics)
