"""Migrations that a test may write."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import demo_todo.migrations


@pytest.fixture
def migrations(tmp_path, monkeypatch, settings) -> Iterator[Path]:
    """Let a copy be the folder of the demo's migrations."""
    name = f"migrations_of_{tmp_path.name}"
    folder = tmp_path / name
    shutil.copytree(Path(demo_todo.migrations.__file__).parent, folder)
    monkeypatch.syspath_prepend(tmp_path)
    settings.MIGRATION_MODULES = {**settings.MIGRATION_MODULES, "demo_todo": name}
    importlib.invalidate_caches()
    yield folder
    for module in [module for module in sys.modules if module.startswith(name)]:
        del sys.modules[module]
