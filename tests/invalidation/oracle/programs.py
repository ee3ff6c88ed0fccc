"""Random programs: lists of units, each a lone write or a block with steps inside."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from tests.invalidation.oracle.blocks import ENDINGS, Step
from tests.invalidation.oracle.writes import WRITES

TEXTS = ("", "a", "b", "é/ %")
NUMBERS = 8
INNER = ("atomic", "savepoint", "joined", "hook", "few", "hushed")
OUTER = ("atomic", "durable", "by_hand", "joined", "few", "hushed")
# Rolled-back units publish nothing, so most units are committed.
ENDED = (*["kept"] * 5, *ENDINGS[1:])

_numbers = st.integers(0, NUMBERS - 1)
# Hypothesis shrinks steps towards the first.
_names = st.sampled_from(["rest", *sorted(WRITES.keys() - {"rest"})])
_writes = st.tuples(_names, _numbers, _numbers, st.sampled_from(TEXTS))


def _blocks(names: tuple[str, ...], steps: st.SearchStrategy[Step]) -> st.SearchStrategy[Step]:
    inside = st.lists(steps, min_size=1, max_size=3).map(tuple)
    return st.tuples(st.sampled_from(names), st.sampled_from(ENDED), inside)


_steps = _writes | _blocks(INNER, _writes | _blocks(INNER, _writes))
_units = _writes | _writes | _blocks(OUTER, _steps)


def programs(most: int) -> st.SearchStrategy[list[Step]]:
    """Return a strategy for programs of up to `most` units, and of half as many at least."""
    return st.lists(_units, min_size=most // 2, max_size=most)


def random_write(random: Random, names: list[str]) -> Step:
    """Return a random one of the named writes, with arguments."""
    numbers = random.randrange(NUMBERS), random.randrange(NUMBERS)
    return (random.choice(names), *numbers, random.choice(TEXTS))
