"""The declarations of `track()`, and the topics that a changed row belonged to and belongs to.

In: the declarations of `track()`, at start-up, and later changes. Out: the columns to read when a
table is written, and the topics and images of a change. The registry owns the declarations.
"""

from invalidation.tracking.registry import declaration_of, declarations, plan_of, track

__all__ = ["declaration_of", "declarations", "plan_of", "track"]
