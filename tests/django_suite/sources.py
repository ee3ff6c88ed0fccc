"""Fetch Django's own tests: the source distribution of the installed version."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import django

FOLDER = Path(__file__).resolve().parents[2] / ".django-suite"
"""Sources and results; git ignores it."""


def fetch() -> Path:
    """Return the folder of the installed Django's tests, downloaded once; raise if they differ.

    pip checks the archive against the hash that the package index gives.
    """
    name = f"django-{django.__version__}"
    root = FOLDER / name
    if not (root / "tests/runtests.py").exists():
        FOLDER.mkdir(exist_ok=True)
        archive = FOLDER / f"{name}.tar.gz"
        if not archive.exists():
            _download()
        with tarfile.open(archive) as opened:
            opened.extractall(FOLDER, filter="data")
    _verify(root / "django")
    return root / "tests"


def _download() -> None:
    # Only Django as source: `:all:` would build its build tools from source too.
    options = ("--no-deps", "--no-binary", "django", "--dest", str(FOLDER))
    command = [sys.executable, "-m", "pip", "download", "--quiet", *options]
    subprocess.run([*command, f"django=={django.__version__}"], check=True)


def _verify(source: Path) -> None:
    """Raise unless the installed Django is the one in the source distribution, file by file."""
    installed = Path(django.__file__).parent
    ours = {path.relative_to(installed) for path in installed.rglob("*.py")}
    theirs = {path.relative_to(source) for path in source.rglob("*.py")}
    different = sorted(
        str(path)
        for path in theirs
        if path not in ours or (installed / path).read_bytes() != (source / path).read_bytes()
    )
    if different or not theirs:
        raise RuntimeError(
            f"the installed Django is not that of {source}: {len(different)} files differ, such as"
            f" {different[:3]}"
        )
