"""What is tracked, and which topics a changed row did and does belong to.

Comes in: the declarations of `track()`, at start-up; later a change. Goes out: what to read when
a table is written, and the topics and images of a change. The registry owns the declarations.
"""

from invalidation.tracking.registry import declaration_of, declarations, plan_of, track

__all__ = ["declaration_of", "declarations", "plan_of", "track"]
