"""All the ways to write: one function each, called with the world, two numbers and a text.

Alone each is at most one transaction. It may find nothing to do; `test_each_way.py` shows that each
does write with suitable arguments.
"""

from tests.invalidation.oracle.writes import (  # noqa: F401 -- they register themselves
    bulk,
    deletes,
    inheritance,
    keys,
    managers,
    many_to_many,
    querysets,
    saves,
)
from tests.invalidation.oracle.writes.registry import WRITES

__all__ = ["WRITES"]
