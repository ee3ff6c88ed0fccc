"""What a round says to every process that it starts."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import Any, Self

VARIABLE = "CONVERGENCE"


@dataclass(frozen=True, slots=True)
class Backend:
    """A backend as a project would set it, and how many relay processes it wants."""

    pubsub: dict[str, Any]
    relays: int = 0


BACKENDS = {
    "database": Backend({"BACKEND": "realtime.backends.database.DatabasePubSub"}),
}
"""Those that a round can be run on, by the name that `--backend` takes."""


@dataclass(frozen=True, slots=True)
class Site:
    """The board's surroundings: a database (a file or a URL), a backend, and what is broken."""

    database: str
    backend: str = "database"
    retention: float | None = None
    """Seconds for which the backend keeps its history; None leaves it to the backend."""
    heartbeat: float = 2.0
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
        pubsub = BACKENDS[self.backend].pubsub
        if self.retention is None:
            return pubsub
        return pubsub | {"OPTIONS": pubsub.get("OPTIONS", {}) | {"retention": self.retention}}
