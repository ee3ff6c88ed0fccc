"""Capture: notice what is written. One of two rooms that touch Django's insides.

Every ORM write runs through `execute_sql` of one of three compiler classes, whatever public method
began it; Django's model signals see only some. `orm` wraps those three; `raw_sql` notices what is
written beside the ORM; `invalidation.transactions` follows what ends a transaction.
"""

from invalidation.capture.orm import seam
from invalidation.capture.raw_sql import detector
from invalidation.transactions import follow


def install() -> None:
    """Begin to capture, for the life of the process."""
    seam.install()
    follow.install()
    detector.install()


__all__ = ["install"]
