"""The pages. Each watches before it reads, so that no change is missed in between."""

from collections.abc import Container
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count, F, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from demo_todo.models import Task, TodoList
from realtime import Topic, allowed, watch


class UserRequest(HttpRequest):
    """A request of a logged-in user; all pages except the login require one."""

    user: User


def index(request: UserRequest) -> HttpResponse:
    """Show the user's lists."""
    topics = [watch(request, "member", request.user.pk)]
    lists = request.user.todo_lists.prefetch_related("members").annotate(
        open_count=Count("tasks", filter=Q(tasks__done=False)),
        done_count=Count("tasks", filter=Q(tasks__done=True)),
    )
    topics += [watch(request, "list", each.pk) for each in lists]
    return render(request, "demo_todo/index.html", {"lists": lists, "topics": topics})


def show_list(request: UserRequest, pk: int) -> HttpResponse:
    """Show one list with its tasks."""
    watch(request, "list", pk)
    if not may_see(request, pk):
        return render(request, "404.html", status=404)
    todo_list = get_object_or_404(TodoList, pk=pk)
    context = {"list": todo_list, "members": todo_list.members.order_by("username")}
    context |= _tasks_context(request, todo_list.tasks.all(), {pk})
    return render(request, "demo_todo/list.html", context)


def mine(request: UserRequest) -> HttpResponse:
    """Show the user's own tasks on all lists."""
    me = request.user
    topic = watch(request, "user", me.pk)
    tasks = me.tasks.filter(list__members=me).order_by(F("due").asc(nulls_last=True), "pk")
    context = _tasks_context(request, tasks, {task.list_id for task in tasks})
    context["topics"].append(topic)
    return render(request, "demo_todo/mine.html", context)


def delete_list(request: UserRequest, pk: int) -> HttpResponse:
    """Show the confirmation page; delete the list on POST."""
    todo_list = get_list(request, pk)
    if request.method == "POST":
        todo_list.delete()
        return redirect("index")
    return render(request, "demo_todo/delete.html", {"list": todo_list})


def may_see(request: UserRequest, list_pk: int) -> bool:
    """Apply the topic's rule: a user who may watch a list may open and edit it."""
    return allowed(request.user, Topic.of("list", list_pk))


def get_list(request: UserRequest, pk: int) -> TodoList:
    """Return a list of the user's, or raise Http404 for one that is missing or another's."""
    if not may_see(request, pk):
        raise Http404
    return get_object_or_404(TodoList, pk=pk)


def _tasks_context(
    request: UserRequest, tasks: QuerySet[Task], shown: Container[int]
) -> dict[str, Any]:
    """Return the context of task rows, with the members and lists to choose from.

    A `shown` list is watched with all of its tasks, any other on offer by its name only.
    """
    topics = [watch(request, "member", request.user.pk)]
    rows = tasks.select_related("assignee", "list").prefetch_related("list__members")
    lists = request.user.todo_lists.all()
    topics += [watch(request, "list" if each.pk in shown else "name", each.pk) for each in lists]
    return {
        "open_tasks": [task for task in rows if not task.done],
        "done_tasks": [task for task in rows if task.done],
        "lists": lists,
        "topics": topics,
    }
