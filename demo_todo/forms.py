"""The forms of the edits: each has is_valid(), errors and save()."""

from django import forms
from django.contrib.auth.models import User
from django.forms import modelform_factory
from django.http import QueryDict

from demo_todo.models import Task, TodoList

ListForm = modelform_factory(TodoList, fields=["name"])
NewTaskForm = modelform_factory(Task, fields=["title"])


class TaskForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """An edit of the task fields that were posted; other fields stay as they are."""

    class Meta:
        model = Task
        fields = ("title", "done", "assignee", "due", "list")

    def __init__(self, posted: QueryDict, task: Task, user: User) -> None:
        super().__init__(posted, instance=task)
        self.fields["list"] = forms.ModelChoiceField(user.todo_lists.all())
        for name in self.fields.keys() - posted.keys():
            del self.fields[name]

    def clean(self) -> None:
        """Require that the assignee is a member; a move to another list may clear the assignee."""
        target = self.cleaned_data.get("list", self.instance.list)
        assignee = self.cleaned_data.get("assignee", self.instance.assignee)
        is_moved = target != self.instance.list
        if is_moved:
            self.instance.position = target.end()
        if assignee and not target.members.contains(assignee):
            if "assignee" in self.cleaned_data:
                self.add_error("assignee", f"{assignee} is not a member of “{target}”.")
            elif is_moved:
                self.instance.assignee = None


class PlaceForm(forms.Form):
    """A new place for a task: after another one of its list, or first if none is given."""

    def __init__(self, posted: QueryDict, task: Task) -> None:
        super().__init__(posted)
        others = task.list.tasks.exclude(pk=task.pk)
        self.fields["after"] = forms.ModelChoiceField(others, required=False)
        self.task = task

    def save(self) -> None:
        self.task.place_after(self.cleaned_data["after"])


class InviteForm(forms.Form):
    """The name of the user who becomes a member of a list."""

    def __init__(self, posted: QueryDict, todo_list: TodoList) -> None:
        super().__init__(posted)
        others = User.objects.filter(is_active=True).exclude(todo_lists=todo_list)
        errors = {"invalid_choice": "There is no “%(value)s” who is not a member yet."}
        self.fields["username"] = forms.ModelChoiceField(
            others, to_field_name="username", error_messages=errors
        )
        self.todo_list = todo_list

    def save(self) -> None:
        self.todo_list.memberships.create(user=self.cleaned_data["username"])
