"""The public API equals tests/public_api.txt; a change of it must be intended.

After an intended change, write the file again:

DJANGO_SETTINGS_MODULE=tests.settings python -c "import django; django.setup();
from tests.test_public_api import *; SNAPSHOT.write_text(describe())"
"""

from __future__ import annotations

import inspect
from pathlib import Path
from types import ModuleType

import msgspec

import invalidation.testing
import realtime
from realtime import protocol
from realtime.protocol import CloseCode, Frame

SNAPSHOT = Path(__file__).with_name("public_api.txt")


def test_the_public_api_is_as_recorded() -> None:
    """Names, signatures and frames that users rely on do not change by accident."""
    recorded = SNAPSHOT.read_text()

    assert describe() == recorded, "see the docstring of this module"


def describe() -> str:
    """Return the public names with their signatures, and the frames with their fields."""
    sections = [
        *(_module(module) for module in (realtime, invalidation, invalidation.testing)),
        ["frames", *sorted(map(_frame, _structs()))],
        ["close codes", *(f"{code.value} {code.name}" for code in CloseCode)],
    ]
    return "\n\n".join("\n    ".join(lines) for lines in sections) + "\n"


def _module(module: ModuleType) -> list[str]:
    return [module.__name__, *(_name(module, name) for name in sorted(module.__all__))]


def _name(module: ModuleType, name: str) -> str:
    found = getattr(module, name)
    if not callable(found):
        return f"{type(found).__name__} {name}"
    kind = "class" if inspect.isclass(found) else "def"
    return f"{kind} {name}{inspect.signature(found)}"


def _structs() -> list[type[msgspec.Struct]]:
    found = [value for value in vars(protocol).values() if inspect.isclass(value)]
    return [kind for kind in found if issubclass(kind, msgspec.Struct) and kind is not Frame]


def _frame(frame: type[msgspec.Struct]) -> str:
    fields = (f"{name}: {kind}" for name, kind in inspect.get_annotations(frame).items())
    return f"{frame.__name__} (type {frame.__struct_config__.tag}): {', '.join(fields)}"
