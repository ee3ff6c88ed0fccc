"""Use the `told` fixture of the capture tests."""

from __future__ import annotations

from tests.invalidation.capture.conftest import told

__all__ = ["told"]
