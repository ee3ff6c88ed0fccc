"""Each way to write changes rows and is published."""

from __future__ import annotations

import itertools
import random

import pytest

from tests.invalidation.oracle.programs import TEXTS
from tests.invalidation.oracle.running import Runner
from tests.invalidation.oracle.writes import WRITES

pytestmark = pytest.mark.django_db(transaction=True)

PREPARED = (
    ("create_child_with_uuid", 1, 0, ""),
    ("generic_create", 0, 0, ""),
    ("generic_create", 1, 0, ""),
    ("friends_add", 0, 4, ""),
    ("follows_add", 0, 4, ""),
    ("create_with_key_of_another_spelling", 0, 0, ""),
    ("create_child", 1, 0, "a"),
    ("create_shelf", 0, 0, "c"),
    ("delete", 3, 0, ""),  # another shelf that the program has seen
    ("create_shelf", 0, 0, "d"),
    ("create_product", 0, 0, ""),
    ("create_with_text_key", 0, 2, ""),
)
"""Rows that some ways need."""

IDLE = {
    "rest",
    "save_as_it_is",
    "update_nothing",
    "update_untracked",
    "delete_nothing",
    "tell_by_hand",
}
"""Ways that change no tracked rows, on purpose."""


@pytest.mark.parametrize("name", sorted(WRITES.keys() - IDLE))
def test_each_way_to_write_changes_rows(name):
    """Alone, with at least one of some arguments: no way is in the programs without effect."""
    runner = Runner(audited=False)
    arguments = list(itertools.product(range(8), range(8), TEXTS))
    # Most ways change something soon, if the first arguments are not all alike.
    random.Random(name).shuffle(arguments)

    for a, b, text in arguments:
        runner.run([*PREPARED, (name, a, b, text)])
        if runner.totals.written[name]:
            return

    pytest.fail(f"{name} never changed a row")
