"""Turn model changes into messages: which topics a changed row did and does belong to."""

from invalidation.changes import Change
from invalidation.invalidate import invalidate
from invalidation.quiet import quiet
from invalidation.signals import rows_changed
from invalidation.tracking.registry import track

__all__ = ["Change", "invalidate", "quiet", "rows_changed", "track"]
