"""Socket.IO and its Redis adapter, installed once into a folder of the user's cache."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

PACKAGES = (
    "socket.io@4.8",
    "@socket.io/redis-adapter@8.3",
    "@socket.io/redis-emitter@5.1",
    "redis@4.7",
)


def folder() -> Path:
    """Return the folder of the packages; install them if they are missing."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    found = cache / "django-livequery" / "socket.io-4.8"
    if not (found / "installed").exists():
        found.mkdir(parents=True, exist_ok=True)
        (found / "package.json").write_text("{}")
        # The packages' install scripts are not run.
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]
        subprocess.run(["npm", "install", *options, *PACKAGES], cwd=found, check=True)
        (found / "installed").touch()
    return found
