"""The scripts of a live page: which files it loads, and the names by which modules are imported."""

from __future__ import annotations

from django.templatetags.static import static

from realtime.registry import Registry

PUBLIC_MODULES = ("realtime/live.js",)
"""The names that users' scripts import of this package; one file holds them all."""

SCRIPTS: Registry[str] = Registry("script")
"""The static files that every live page loads as modules, in this order; by package."""

IMPORTS: Registry[str] = Registry("module to import")
"""The static file behind each name that scripts import. The name is that of a static file too."""

_BUNDLE = "realtime/live.bundle.js"

SCRIPTS["realtime"] = _BUNDLE
for _name in PUBLIC_MODULES:
    IMPORTS[_name] = _BUNDLE


def script_urls() -> list[str]:
    """Return the URLs of the files that a page loads."""
    return [static(path) for path in SCRIPTS.values()]


def import_map() -> dict[str, dict[str, str]]:
    """Map each module that can be imported, by its name and by its URL, to its file.

    A page with two copies of the client would have two connections, and classes that differ.
    """
    named = [(name, static(path)) for name, path in IMPORTS.items()]
    return {"imports": {key: url for name, url in named for key in (name, static(name))}}
