"""The topics that rows belong to, and the rules that say which users may watch them.

`list:5` is a list with its tasks and members, `name:5` only the list itself, for pages that offer
it as a place to move to. `member:3` is the memberships of user 3; `user:3` is the tasks of user 3.
"""

from django.contrib.auth.models import AnonymousUser, User

from demo_todo.models import Membership, Task, TodoList
from invalidation import track
from realtime import allow

track(TodoList, "list:{id}", "name:{id}")
track(Membership, "list:{list_id}", "member:{user_id}")
track(Task, "list:{list_id}", "user:{assignee_id}")


@allow("list", depends=lambda user, list_id: [f"member:{user.pk}"])
@allow("name", depends=lambda user, list_id: [f"member:{user.pk}"])
def is_member(user: User | AnonymousUser, list_id: int) -> bool:
    return Membership.objects.filter(list=list_id, user=user.pk).exists()


@allow("member")
@allow("user")
def is_oneself(user: User | AnonymousUser, user_id: int) -> bool:
    return user.pk == user_id
