"""Looking at what follows the arranging, as elsewhere."""

from __future__ import annotations

from tests.invalidation.capture.conftest import told

__all__ = ["told"]
