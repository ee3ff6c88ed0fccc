"""The client's files: which a page loads, and where they are."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from django.contrib.staticfiles.storage import staticfiles_storage
from django.templatetags.static import static

ENTRY = "realtime/live.js"

_FOLDER = Path(__file__).parent / "static" / "realtime"


def modules() -> list[str]:
    """Return the URLs of what the entry imports, so that browsers ask for all at once.

    Else they find them level by level, each a round trip later.
    """
    entry = static(ENTRY)
    # Imports within modules are relative, and most storages leave them as they are.
    if getattr(staticfiles_storage, "support_js_module_import_aggregation", False):
        return [static(f"realtime/{name}") for name in _names()]
    folder = entry.rpartition("/")[0]
    return [f"{folder}/{name}" for name in _names()]


@cache
def _names() -> tuple[str, ...]:
    found = (path.relative_to(_FOLDER).as_posix() for path in _FOLDER.rglob("*.js"))
    return tuple(sorted(name for name in found if f"realtime/{name}" != ENTRY))
