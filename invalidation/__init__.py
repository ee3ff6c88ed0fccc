"""Turn model changes into messages: which topics a changed row did and does belong to."""

from invalidation.by_hand import invalidate
from invalidation.changes import Change
from invalidation.quieting import quiet
from invalidation.signals import rows_changed
from invalidation.tracking import track

__all__ = ["Change", "invalidate", "quiet", "rows_changed", "track"]
