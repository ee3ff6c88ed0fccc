"""Turn model changes into messages: which topics a changed row did and does belong to."""

from invalidation.changes import Change
from invalidation.tracking import track

__all__ = ["Change", "track"]
