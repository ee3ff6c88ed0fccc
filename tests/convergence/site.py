"""What a round says to every process that it starts."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

VARIABLE = "CONVERGENCE"


@dataclass(frozen=True, slots=True)
class Backend:
    """A backend as a project would set it, and the processes that it needs beside."""

    dotted_path: str
    options: Mapping[str, Any] = field(default_factory=dict)
    """`{folder}` in them is where the round's sockets are."""
    short: Mapping[str, Any] = field(default_factory=dict)
    """What more is said where the history shall be too short for whoever is away for long."""
    processes: Mapping[str, int] = field(default_factory=dict)
    """How many of each of these kinds."""
    redis: str = ""
    """Which Redis: `one`, or a `cluster`. Its URLs stand for `{redis}` in the options."""


BACKENDS = {
    "database": Backend("realtime.backends.database.DatabasePubSub", short={"retention": 3.0}),
    "socket": Backend(
        "tests.contract.socket_backend.SocketPubSub",
        options={"path": "{folder}/broker-1.sock"},
        processes={"broker": 1, "relay": 2},
    ),
    **{
        name: Backend(
            "realtime.backends.redis.RedisPubSub",
            options={"url": "{redis}", "timeout": 1.0},
            short={"keep": 5, "retention": 3},
            processes={"relay": 2},
            redis=kind,
        )
        for name, kind in {"redis": "one", "redis-cluster": "cluster"}.items()
    },
}
"""Those that a round can be run on, by the name that `--backend` takes."""


@dataclass(frozen=True, slots=True)
class Site:
    """The board's surroundings: a database (a file or a URL), a backend, and what is broken."""

    database: str
    backend: str = "database"
    folder: str = ""
    redis: Sequence[str] = ()
    short: bool = False
    """Shall the backend forget its history early?"""
    faultless: bool = False
    """Does nothing go wrong in this round?"""
    heartbeat: float = 2.0
    """Seconds; connections that are silent for longer than some of these are given up."""
    sabotage: str = ""
    """One of `sabotage.SABOTAGES`: what the served process does wrong on purpose."""

    @classmethod
    def of_environment(cls) -> Self:
        """Read what `environment()` wrote."""
        return cls(**json.loads(os.environ[VARIABLE]))

    def environment(self) -> dict[str, str]:
        """Return this process's environment, pointed at the board."""
        return os.environ | {
            VARIABLE: json.dumps(asdict(self)),
            "DJANGO_SETTINGS_MODULE": "tests.convergence.settings",
        }

    def pubsub(self) -> dict[str, Any]:
        """Return REALTIME["PUBSUB"]."""
        backend = BACKENDS[self.backend]
        said = {**backend.options, **(backend.short if self.short else {})}
        options = {name: self._filled_in(value) for name, value in said.items()}
        return {"BACKEND": backend.dotted_path, "OPTIONS": options}

    def _filled_in(self, value: object) -> object:
        if value == "{redis}":
            return list(self.redis)
        return value.format(folder=self.folder) if isinstance(value, str) else value
