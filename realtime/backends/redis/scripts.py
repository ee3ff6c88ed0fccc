"""The scripts that run inside Redis: one file each, behind a common beginning."""

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
    """A script's text, and the digest by which a server knows it once it is loaded."""

    text: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        digest = sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "sha", digest)

    def call(self, keys: tuple[str, ...], *arguments: object) -> tuple[object, ...]:
        """Return the command that runs the script."""
        return ("EVALSHA", self.sha, len(keys), *keys, *arguments)


def _script(name: str) -> Script:
    return Script(_COMMON + (_FOLDER / f"{name}.lua").read_text())


BEGIN, NOW, PUBLISH, SINCE = map(_script, ("begin", "now", "publish", "since"))
LOADING = tuple(("SCRIPT LOAD", script.text) for script in (BEGIN, NOW, PUBLISH, SINCE))
"""The commands that load all scripts into a server."""


def unknown_in(replies: Sequence[object]) -> list[int]:
    """Return the indices of replies that say that a script is not loaded."""
    return [n for n, reply in enumerate(replies) if isinstance(reply, NoScriptError)]


def begin(names: Names, partition: int) -> tuple[object, ...]:
    """Return the command that makes a partition's state if it has none."""
    return BEGIN.call((names.meta(partition), names.index(partition)))
