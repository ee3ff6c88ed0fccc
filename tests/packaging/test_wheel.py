"""The wheel holds the two packages, whole, and nothing else."""

import email
from email.message import Message
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.packaging.conftest import ROOT

pytestmark = [pytest.mark.packaging, pytest.mark.timeout(300)]

PACKAGES = ("realtime", "invalidation")


@pytest.fixture
def names(wheel: Path) -> set[str]:
    return {name for name in ZipFile(wheel).namelist() if not name.endswith("/")}


@pytest.fixture
def metadata(wheel: Path) -> Message:
    with ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def test_wheel_holds_every_file_of_the_packages_and_no_other(names: set[str]) -> None:
    """What works in a clone works when installed; tests and the demo stay at home."""
    held = {name for name in names if ".dist-info/" not in name}

    assert held == {name for package in PACKAGES for name in _files_of(package)}


@pytest.mark.parametrize(
    "name",
    [
        "realtime/py.typed",
        "invalidation/py.typed",
        "realtime/static/realtime/live.js",
        "realtime/static/realtime/live.bundle.js",
        "realtime/static/realtime/live.d.ts",
        "realtime/migrations/0001_initial.py",
    ],
)
def test_wheel_holds(names: set[str], name: str) -> None:
    """The files that are easily forgotten are there."""
    assert name in names


def test_metadata_bounds_django_below_the_first_untested_version(metadata: Message) -> None:
    """Pip does not bring a Django that the tests have not run on."""
    required = metadata.get_all("Requires-Dist") or []

    assert "django<6.2,>=5.2" in [line.lower() for line in required]
    assert metadata["Requires-Python"] == ">=3.11"


def test_metadata_names_license_and_extras(metadata: Message) -> None:
    """The index shows what a user may do with it and what can be added."""
    assert metadata["License-Expression"] == "MIT"
    assert set(metadata.get_all("Provides-Extra") or []) == {"demo", "metrics", "postgres", "redis"}


def _files_of(package: str) -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
