"""Capture: note which rows are written. Only this room and read sets touch Django's insides.

Every ORM write runs through `execute_sql` of one of three compiler classes, whichever public method
began it; Django's model signals see only some writes. `orm` wraps those three classes; `catalogue`
says what capture may do to a table; `raw_sql` detects writes beside the ORM;
`invalidation.transactions` follows the end of transactions.
"""

from invalidation.capture.catalogue import foreign_keys
from invalidation.capture.orm import seam
from invalidation.capture.orm.children import with_children
from invalidation.capture.raw_sql import detector
from invalidation.transactions import follow
from invalidation.transactions.commit import completers


def install() -> None:
    """Start to capture, for the life of the process."""
    seam.install()
    if with_children not in completers:
        completers.append(with_children)
    follow.install()
    detector.install()
    foreign_keys.install()


__all__ = ["install"]
