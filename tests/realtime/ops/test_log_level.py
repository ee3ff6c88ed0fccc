"""Log levels that are set for some minutes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest

from realtime.ops import log_level
from realtime.ops.log_level import set_level_here
from realtime.server import Server
from tests.realtime.hub.listening import until

NAMES = ("realtime", "realtime.hub", "realtime.outbox", "invalidation")
SOON = 0.02 / 60


@pytest.fixture(autouse=True)
def levels_before() -> Iterator[None]:
    before = {name: logging.getLogger(name).level for name in NAMES}
    yield
    for timer in log_level._timers.values():
        timer.cancel()
    log_level._timers.clear()
    log_level._before.clear()
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


async def test_a_level_is_set_and_set_back(server: Server) -> None:
    """With loggers below that have a level of their own."""
    logging.getLogger("realtime").setLevel("WARNING")
    logging.getLogger("realtime.hub").setLevel("ERROR")

    told = set_level_here(server, "DEBUG", minutes=SOON)

    assert (told.logger, told.before, told.level) == ("realtime", "WARNING", "DEBUG")
    assert logging.getLogger("realtime.hub").level == logging.DEBUG
    assert logging.getLogger("realtime.outbox").getEffectiveLevel() == logging.DEBUG
    await until(lambda: logging.getLogger("realtime").level == logging.WARNING)
    await until(lambda: logging.getLogger("realtime.hub").level == logging.ERROR)


async def test_a_level_set_twice_is_restored_to_that_before_the_first(server: Server) -> None:
    """A call may arrive twice."""
    logging.getLogger("realtime.hub").setLevel("ERROR")
    set_level_here(server, "INFO", "realtime.hub", minutes=1)

    set_level_here(server, "DEBUG", "realtime.hub", minutes=SOON)

    await until(lambda: logging.getLogger("realtime.hub").level == logging.ERROR)


@pytest.mark.parametrize(
    ("level", "logger"), [("DEBUG", "django"), ("DEBUG", "realtimes"), ("LOUD", "realtime")]
)
async def test_nothing_else_can_be_set(level: str, logger: str, server: Server) -> None:
    """Loggers of other packages are refused."""
    with pytest.raises(ValueError, match="expected one of"):
        set_level_here(server, level, logger)

    await asyncio.sleep(0)
    assert not log_level._timers
