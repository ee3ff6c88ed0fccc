"""The edits: each saves a form and answers 204, or 422 with the form's errors.

A 204 has no content: the page that made the edit receives the change like every other page.
"""

from typing import Any

from django.db import transaction
from django.forms import ModelForm
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_POST

from demo_todo.forms import InviteForm, ListForm, NewTaskForm, PlaceForm, TaskForm
from demo_todo.models import Task
from demo_todo.views import UserRequest, get_list


@require_POST
@transaction.atomic
def create_list(request: UserRequest) -> HttpResponse:
    form = ListForm(request.POST)
    response = _save(request, form)
    if form.is_valid():
        form.instance.memberships.create(user=request.user)
    return response


@require_POST
@transaction.atomic
def rename_list(request: UserRequest, pk: int) -> HttpResponse:
    return _save(request, ListForm(request.POST, instance=get_list(request, pk)))


@require_POST
@transaction.atomic
def invite(request: UserRequest, pk: int) -> HttpResponse:
    return _save(request, InviteForm(request.POST, get_list(request, pk)))


@require_POST
@transaction.atomic
def add_task(request: UserRequest, pk: int) -> HttpResponse:
    todo_list = get_list(request, pk)
    task = Task(list=todo_list, position=todo_list.end())
    return _save(request, NewTaskForm(request.POST, instance=task))


@require_POST
@transaction.atomic
def update_task(request: UserRequest, pk: int) -> HttpResponse:
    return _save(request, TaskForm(request.POST, _get_task(request, pk), request.user))


@require_POST
@transaction.atomic
def reorder_task(request: UserRequest, pk: int) -> HttpResponse:
    return _save(request, PlaceForm(request.POST, _get_task(request, pk)))


@require_POST
@transaction.atomic
def delete_task(request: UserRequest, pk: int) -> HttpResponse:
    _get_task(request, pk).delete()
    return HttpResponse(status=204)


def _get_task(request: UserRequest, pk: int) -> Task:
    """Return a task of one of the user's lists, locked until the edit is written."""
    task = get_object_or_404(Task.objects.select_for_update(), pk=pk)
    get_list(request, task.list_id)
    return task


def _save(request: UserRequest, form: "ModelForm[Any] | PlaceForm | InviteForm") -> HttpResponse:
    """Save the posted form, or answer with its errors, which htmx shows beside the control."""
    if form.is_valid():
        form.save()
        return HttpResponse(status=204)
    return render(request, "demo_todo/_errors.html", {"form": form}, status=422)
