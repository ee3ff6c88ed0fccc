"""Lists that several users share, and the tasks on them."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

# Floats limit how often a gap can be halved; below this one the list is renumbered.
SMALLEST_GAP = 1e-6


class TodoList(models.Model):
    """A named list that only its members see and edit."""

    name = models.CharField(max_length=100)
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="Membership", related_name="todo_lists"
    )

    class Meta:
        ordering = ("name", "pk")
        constraints = (models.CheckConstraint(condition=~Q(name=""), name="list_is_named"),)

    def __str__(self) -> str:
        return self.name

    def end(self) -> float:
        """Return the position after the last task."""
        last = self.tasks.last()
        return last.position + 1 if last else 0.0


class Membership(models.Model):
    """A user's membership in a list."""

    list = models.ForeignKey(TodoList, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")

    class Meta:
        constraints = (models.UniqueConstraint(fields=("list", "user"), name="member_once"),)

    def __str__(self) -> str:
        return f"{self.user} in {self.list}"


class Task(models.Model):
    """A task at its place in a list."""

    list = models.ForeignKey(TodoList, models.CASCADE, related_name="tasks")
    title = models.CharField(max_length=200)
    done = models.BooleanField(default=False)
    position = models.FloatField(default=0.0)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, related_name="tasks", null=True, blank=True
    )
    due = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ("position", "pk")
        constraints = (models.CheckConstraint(condition=~Q(title=""), name="task_is_titled"),)

    def __str__(self) -> str:
        return self.title

    @property
    def is_overdue(self) -> bool:
        return not self.done and self.due is not None and self.due < timezone.localdate()

    def place_after(self, other: "Task | None") -> None:
        """Save this task right after another one of its list; None makes it the first."""
        rest = list(self.list.tasks.exclude(pk=self.pk))
        index = rest.index(other) + 1 if other else 0
        taken = [task.position for task in rest] or [0.0]
        above, below = [taken[0] - 2, *taken, taken[-1] + 2][index : index + 2]
        if below - above < SMALLEST_GAP:
            rest.insert(index, self)
            for position, task in enumerate(rest):
                task.position = position
            Task.objects.bulk_update(rest, ["position"])
        else:
            self.position = (above + below) / 2
            self.save(update_fields=["position"])
