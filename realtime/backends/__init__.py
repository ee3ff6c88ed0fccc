"""The pluggable backends, and the one that this project has chosen.

`REALTIME["PUBSUB"] = {"BACKEND": "dotted.path", "OPTIONS": {…}}` names the backend. The options are
its keyword arguments.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from django.utils.module_loading import import_string

from realtime.backends.base import PubSub, Upstream
from realtime.conf import conf
from realtime.exceptions import BackendMissing

__all__ = ["PubSub", "Upstream", "forget_pubsub", "get_pubsub", "make_pubsub"]

_lock = threading.Lock()
_current: PubSub | None = None


def get_pubsub() -> PubSub:
    """Return this process's backend; the first call makes it."""
    global _current  # noqa: PLW0603 -- one backend a process; the lock below is its owner
    with _lock:
        if _current is None:
            _current = make_pubsub(conf.PUBSUB)
        return _current


def make_pubsub(config: Mapping[str, object]) -> PubSub:
    """Make a backend from `{"BACKEND": …, "OPTIONS": …}`, or raise BackendMissing."""
    path = config.get("BACKEND") if isinstance(config, Mapping) else None
    if not isinstance(path, str):
        raise BackendMissing(
            f"expected REALTIME['PUBSUB'] = {{'BACKEND': 'dotted.path', 'OPTIONS': {{…}}}},"
            f" got {config!r}"
        )
    try:
        backend = import_string(path)(**_options(config))
    except (ImportError, TypeError, ValueError) as error:
        raise BackendMissing(f"REALTIME['PUBSUB'] names {path!r}: {error}") from error
    if not isinstance(backend, PubSub):
        raise BackendMissing(f"expected {path!r} to be a PubSub, got {type(backend).__name__}")
    return backend


def _options(config: Mapping[str, object]) -> dict[str, object]:
    options = config.get("OPTIONS", {})
    if not isinstance(options, Mapping):
        raise TypeError(f"expected OPTIONS to be a mapping, got {options!r}")
    return dict(options)


def forget_pubsub(*, setting: str = "REALTIME", **_: object) -> None:
    """Drop this process's backend, so that the next use remakes it; receives `setting_changed`."""
    global _current  # noqa: PLW0603
    if setting == "REALTIME":
        with _lock:
            _current = None
