"""The settings that a round passes to its processes in an environment variable."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

VARIABLE = "CONVERGENCE"


@dataclass(frozen=True, slots=True)
class Backend:
    """A backend's settings, and the further processes that it needs."""

    dotted_path: str
    options: Mapping[str, Any] = field(default_factory=dict)
    """Its OPTIONS; `{folder}` stands for the folder of the round's sockets."""
    short: Mapping[str, Any] = field(default_factory=dict)
    """Further options that make the history too short for clients that are away for long."""
    processes: Mapping[str, int] = field(default_factory=dict)
    """Kind of process -> number of processes."""
    redis: str = ""
    """`one` server or a `cluster`; `{redis}` in the options stands for its URLs."""


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
"""Name for `--backend` -> backend."""


@dataclass(frozen=True, slots=True)
class Site:
    """The board's database (a file or a URL), backend and sabotage."""

    database: str
    backend: str = "database"
    folder: str = ""
    redis: Sequence[str] = ()
    short: bool = False
    """True for a short history, so that some clients must be reset."""
    faultless: bool = False
    """True for a round without faults."""
    heartbeat: float = 2.0
    """HEARTBEAT, in seconds: connections that are silent for a few of these are closed."""
    sabotage: str = ""
    """The name of a sabotage of the server or the board; empty for none."""

    @classmethod
    def of_environment(cls) -> Self:
        """Return the site that `environment()` stored."""
        return cls(**json.loads(os.environ[VARIABLE]))

    def environment(self) -> dict[str, str]:
        """Return this process's environment, with the board's settings."""
        return os.environ | {
            VARIABLE: json.dumps(asdict(self)),
            "DJANGO_SETTINGS_MODULE": "tests.convergence.settings",
        }

    def pubsub(self) -> dict[str, Any]:
        """Return REALTIME["PUBSUB"]."""
        backend = BACKENDS[self.backend]
        given = {**backend.options, **(backend.short if self.short else {})}
        options = {name: self._filled_in(value) for name, value in given.items()}
        return {"BACKEND": backend.dotted_path, "OPTIONS": options}

    def _filled_in(self, value: object) -> object:
        if value == "{redis}":
            return list(self.redis)
        return value.format(folder=self.folder) if isinstance(value, str) else value
