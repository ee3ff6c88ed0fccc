"""Install the npm packages that the clients' process needs, if they are missing."""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path

NODE = Path(__file__).parent / "node"
INSTALLED_WITHIN = 180.0


def install(folder: Path = NODE) -> None:
    """Install the packages of the lockfile unless they are installed; one process at a time.

    Raise RuntimeError with npm's output if that fails.
    """
    wanted = (folder / "package-lock.json").read_bytes()
    installed = folder / "node_modules/.installed"
    with (folder / "package.json").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if installed.exists() and installed.read_bytes() == wanted:
            return
        _run_npm(folder)
        installed.write_bytes(wanted)


def _run_npm(folder: Path) -> None:
    try:
        done = subprocess.run(
            ["npm", "ci"],
            cwd=folder,
            check=False,
            capture_output=True,
            text=True,
            timeout=INSTALLED_WITHIN,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise RuntimeError(f"npm ci in {folder} failed: {error}") from error
    if done.returncode:
        raise RuntimeError(f"npm ci in {folder} failed:\n{done.stderr[-3000:]}")
