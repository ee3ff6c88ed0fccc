"""The admin: what is edited there is live as well, with no line of code for it."""

from django.contrib import admin

from demo_todo.models import Membership, Task, TodoList

admin.site.register([TodoList, Membership, Task])
