"""The scripts that a live page loads, and the import map of their modules."""

from __future__ import annotations

from django.templatetags.static import static

from realtime.registry import Registry

PUBLIC_MODULES = ("realtime/live.js",)
"""The modules of this package that a project's scripts may import; one file has them all."""

SCRIPTS: Registry[str] = Registry("script")
"""Package -> the static file that every live page loads as a module, in this order."""

IMPORTS: Registry[str] = Registry("module to import")
"""Module name that scripts import, itself a static file's path -> the static file to load."""

_BUNDLE = "realtime/live.bundle.js"

SCRIPTS["realtime"] = _BUNDLE
for _name in PUBLIC_MODULES:
    IMPORTS[_name] = _BUNDLE


def script_urls() -> list[str]:
    """Return the URLs of the files that a page loads."""
    return [static(path) for path in SCRIPTS.values()]


def import_map() -> dict[str, dict[str, str]]:
    """Return the import map: each module's name, and its own URL, lead to the file to load.

    Without the URLs a page could load a second copy of the client, with a second connection and
    different classes.
    """
    named = [(name, static(path)) for name, path in IMPORTS.items()]
    return {"imports": {key: url for name, url in named for key in (name, static(name))}}
