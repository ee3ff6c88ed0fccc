"""Turn model changes into messages to the topics that a changed row left, entered or stays in."""

from invalidation.changes import Change
from invalidation.invalidate import invalidate
from invalidation.quiet import quiet
from invalidation.signals import rows_changed
from invalidation.tracking.registry import track

__all__ = ["Change", "invalidate", "quiet", "rows_changed", "track"]
