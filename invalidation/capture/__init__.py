"""Noticing what is written. The only place that touches Django's insides.

Every ORM write runs through `execute_sql` of one of three compiler classes, whatever public method
began it; Django's model signals see but some. `seam` wraps those three, `images` reads what the
rows were and are, and `transactions` wraps what ends a transaction. `raw_sql` notices what is
written beside the ORM.
"""

from invalidation.capture import raw_sql, seam, transactions


def install() -> None:
    """Begin to capture, for the life of the process."""
    seam.install()
    transactions.install()
    raw_sql.install()


__all__ = ["install"]
