"""A project with a user for each topic, and a rule that makes a query: here a pause.

The rule allows each user at first. When it is asked again, it refuses one user in ten.
"""

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from benchmarks.sockets.messages import RULE_TAKES, is_refused
from benchmarks.sockets.servers.ours import application
from realtime.access import rules
from realtime.conf import conf

__all__ = ["application"]


class User:
    is_authenticated = True

    def __init__(self, pk: str) -> None:
        self.pk = pk


def user_of(scope: Mapping[str, Any]) -> User:
    return User(scope["query_string"].decode().removeprefix("user="))


_asked: Counter[int] = Counter()


def may_watch(user: User, number: int) -> bool:
    time.sleep(RULE_TAKES)
    _asked[number] += 1
    return _asked[number] == 1 or not is_refused(number)


# This replaces the rule that allows at once.
rules._rules.clear()
rules.allow("row")(may_watch)
conf.__dict__["AUTHENTICATE"] = f"{__name__}.user_of"
