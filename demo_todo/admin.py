"""The admin: edits made there are live too, without further code."""

from django.contrib import admin

from demo_todo.models import Membership, Task, TodoList

admin.site.register([TodoList, Membership, Task])
