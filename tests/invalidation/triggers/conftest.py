"""A folder of migrations that tests may write."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import demo_todo.migrations

FIRST = """
from django.db import migrations


class Migration(migrations.Migration):
    pass
"""


@pytest.fixture
def migrations(tmp_path, monkeypatch, settings) -> Iterator[Path]:
    """Return the folder of the depot's migrations, in a project without triggers so far."""
    name = f"migrations_of_{tmp_path.name}"
    of_depot, of_demo = f"{name}_depot", f"{name}_demo"
    for package in (of_depot, of_demo):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / of_depot / "0001_initial.py").write_text(FIRST)
    # Without the demo's own triggers.
    tables = Path(demo_todo.migrations.__file__).parent / "0001_initial.py"
    shutil.copy(tables, tmp_path / of_demo)
    monkeypatch.syspath_prepend(tmp_path)
    settings.MIGRATION_MODULES = {
        **settings.MIGRATION_MODULES,
        "demo_todo": of_demo,
        "depot": of_depot,
    }
    importlib.invalidate_caches()
    yield tmp_path / of_depot
    for module in [module for module in sys.modules if module.startswith(name)]:
        del sys.modules[module]
