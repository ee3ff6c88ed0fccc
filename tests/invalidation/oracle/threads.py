"""Many threads, each with its own connection, that write the same few rows."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Barrier

from django.db import OperationalError, connection, connections

from tests.invalidation.oracle import audit
from tests.invalidation.oracle.blocks import VOLATILE, Step, is_refused, run
from tests.invalidation.oracle.programs import random_write
from tests.invalidation.oracle.world import World
from tests.invalidation.oracle.writes import WRITES

THREADS = 5
ATTEMPTS = 20

TO_BE_RETRIED = {"40001": "serialization failures", "40P01": "deadlocks"}
"""PostgreSQL's codes for errors that an application retries."""

GIVEN_UP = "given up"
"""Under REPEATABLE READ a long transaction on contended rows may never succeed."""

UPSERTS = frozenset(name for name in WRITES if name.startswith("bulk_create_over_"))
"""Writes that reset if another transaction has written or holds one of their rows meanwhile."""

# Writes that move rows between topics, create and delete them; the others run as well.
FOUGHT_WITH = (
    *("save", "save_stale", "save_stale_in_part", "save_child", "save_stale_child", "save_parent"),
    *("update", "update_over_join", "update_by_itself", "update_by_subquery", "update_by_chance"),
    *("update_children", "update_parents_of", "update_prices", "update_composite", "bulk_update"),
    *("delete", "delete_stale", "delete_and_make_anew", "insert_by_force", "create_product"),
    *("tags_add", "tags_set", "products_add", "products_remove", "between_update", "friends_add"),
    *("related_add", "related_set", "related_clear", "make_child_of", "save_as_another"),
)
LEFT_OUT = {"tell_by_hand", "rest", "make_child_raw"}
"""Also the one of which the documentation says that a parent's writer may not see it."""
NAMES = sorted({*WRITES} - LEFT_OUT) + 3 * list(FOUGHT_WITH)
LEADING = ("update_all", "update_by_itself", "update_composite")
"""Writes that read nothing before they write, if no shelf is looked up."""


class Writers:
    """Threads that each write a number of random transactions."""

    def __init__(self, seed: int, *, writing_first: bool, upserting: bool) -> None:
        """Let each transaction begin with a write where one that reads first may be refused."""
        self.refusals: Counter[str] = Counter()
        self._seed = seed
        self._writing_first = writing_first
        left_out = set() if upserting else set(UPSERTS)
        if connection.vendor == "sqlite":
            # There no other resets are allowed for.
            left_out |= VOLATILE
        self._names = [name for name in NAMES if name not in left_out]

    def run(self, each: int) -> None:
        """Write that many transactions in every thread."""
        barrier = Barrier(THREADS)

        def work(thread: int) -> None:
            random, world = Random(f"{self._seed}/{thread}"), World()
            barrier.wait()
            try:
                for turn in range(each):
                    self._insist(world, self._unit(random), f"{thread}.{turn}")
            finally:
                connections["default"].close()

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(work, range(THREADS)))

    def _unit(self, random: Random) -> Step:
        """Return a lone write, or a transaction of up to three, some partly rolled back."""
        steps = [random_write(random, self._names) for _ in range(random.randint(1, 3))]
        if self._writing_first:
            steps.insert(0, (random.choice(LEADING), 0, 4, "a"))
        elif len(steps) == 1:
            return steps[0]
        if random.random() < 0.2:
            steps[-1] = ("atomic", "raised", (steps[-1],))
        return ("atomic", "kept", tuple(steps))

    def _insist(self, world: World, unit: Step, name: str) -> None:
        """Run a unit, and again while the database asks for a retry."""
        for attempt in range(ATTEMPTS):
            audit.begin(f"{self._seed}.{name}.{attempt}")
            try:
                run(world, unit)
            except OperationalError as error:
                self.refusals[_why(error)] += 1
            except Exception as error:
                if not is_refused(error):
                    raise
                return
            else:
                return
        self.refusals[GIVEN_UP] += 1


def _why(error: OperationalError) -> str:
    code = getattr(error.__cause__, "sqlstate", None)
    if code in TO_BE_RETRIED:
        return TO_BE_RETRIED[code]
    assert "locked" in str(error), error
    return "locked"
