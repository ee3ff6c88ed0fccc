"""Set the level of a logger in a running process for some minutes."""

from __future__ import annotations

import asyncio
import logging

import msgspec

from realtime.ops.process import process_name
from realtime.registry import Registry
from realtime.server import Server

LOGGERS: Registry[str] = Registry("logger")
"""Logger -> description. These, and loggers below them, can be set. Packages add their own."""

LOGGERS["realtime"] = "messages, connections and backends"

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

logger = logging.getLogger("realtime.status")

_before: dict[str, int] = {}
"""The original levels of the loggers that are set now."""

_timers: dict[str, asyncio.TimerHandle] = {}


class Level(msgspec.Struct, frozen=True):
    """The reply of a process: the new level of a logger, and its effective level before."""

    process: str
    logger: str
    level: str
    before: str


def is_ours(name: str) -> bool:
    """Return whether this logger can be set."""
    return any(name == each or name.startswith(f"{each}.") for each in LOGGERS)


def set_level_here(
    server: Server,
    level: str,
    logger: str = "realtime",
    minutes: float = 10.0,
) -> Level:
    """Set a logger's level for some minutes; then restore the level before the first call.

    Call it in an event loop, whose timer restores the level. Loggers below with a level of their
    own get this one too. A second call replaces level and time.
    """
    if not is_ours(logger) or level not in LEVELS:
        raise ValueError(f"expected one of {LEVELS} for one of our loggers, got {level!r:.80}")
    before = logging.getLogger(logger).getEffectiveLevel()
    for name in [logger, *_below(logger)]:
        _before.setdefault(name, logging.getLogger(name).level)
        logging.getLogger(name).setLevel(level)
        if name in _timers:
            _timers.pop(name).cancel()
        loop = asyncio.get_running_loop()
        _timers[name] = loop.call_later(minutes * 60, _restore, name)
    return Level(process_name(), logger, level, logging.getLevelName(before))


def _below(name: str) -> list[str]:
    """Return the loggers below this one that have a level of their own."""
    known = list(logging.Logger.manager.loggerDict.items())
    return [
        each
        for each, found in known
        if each.startswith(f"{name}.") and isinstance(found, logging.Logger) and found.level
    ]


def _restore(name: str) -> None:
    _timers.pop(name, None)
    logging.getLogger(name).setLevel(_before.pop(name))
    logger.info("the level of %s is restored", name)
