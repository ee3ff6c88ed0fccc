"""The scripts that run inside Redis: one file each, behind what they all begin with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha1
from pathlib import Path

from redis.exceptions import NoScriptError

from realtime.backends.redis.keys import Names

_FOLDER = Path(__file__).parent / "lua"
_COMMON = (_FOLDER / "partition.lua").read_text()


@dataclass(frozen=True, slots=True)
class Script:
    """A script's text, and the digest by which a server knows it once it has been loaded."""

    text: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        digest = sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "sha", digest)

    def call(self, keys: tuple[str, ...], *arguments: object) -> tuple[object, ...]:
        """Return the command that runs it."""
        return ("EVALSHA", self.sha, len(keys), *keys, *arguments)


def _script(name: str) -> Script:
    return Script(_COMMON + (_FOLDER / f"{name}.lua").read_text())


BEGIN, NOW, PUBLISH, SINCE = map(_script, ("begin", "now", "publish", "since"))
LOADING = tuple(("SCRIPT LOAD", script.text) for script in (BEGIN, NOW, PUBLISH, SINCE))
"""The commands after which a server knows them all."""


def unknown_in(replies: Sequence[object]) -> list[int]:
    """Return which replies say that a script is not known."""
    return [n for n, reply in enumerate(replies) if isinstance(reply, NoScriptError)]


def begin(names: Names, partition: int) -> tuple[object, ...]:
    """Return the command that gives a partition a state where it has none."""
    return BEGIN.call((names.meta(partition), names.index(partition)))
