"""The client's script: which file a page loads, and the names by which it is imported."""

from __future__ import annotations

from django.templatetags.static import static

PUBLIC_MODULES = ("realtime/live.js",)
"""The names that users' scripts import."""

_BUNDLE = "realtime/live.bundle.js"


def bundle_url() -> str:
    """Return the URL of the file that holds all public modules."""
    return static(_BUNDLE)


def import_map() -> dict[str, dict[str, str]]:
    """Map each public module, by its name and by its URL, to the bundle.

    A page with two copies of the client would have two connections, and classes that differ.
    """
    url = bundle_url()
    return {"imports": {key: url for name in PUBLIC_MODULES for key in (name, static(name))}}
