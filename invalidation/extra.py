"""What travels beside a message within the servers: the rows' images.

`Message.extra` is `{"images": {label: {pk: [before, after]}}}`, where `before` and `after` are
`{column: value}` or None, and values are JSON's: decimals, dates and times as text. It holds the
image columns only, never other columns that a topic depends on; `realtime` drops it before
anything is sent to a client. A message whose images are larger than MAX_IMAGE_BYTES goes without:
whoever reads them must then take every value for unknown.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from invalidation.changes import Change, Image

ImagesOf = dict[tuple[str, str], "tuple[Change, Collection[str]]"]
"""By label and pk: a change, and the columns of it that have images."""

_encode = msgspec.json.Encoder(enc_hook=str).encode


def extra_of(rows: Mapping[str, Mapping[str, object]], images: ImagesOf, most: int) -> object:
    """Return what goes beside a message about `rows`; None for nothing, or above `most` bytes."""
    found: dict[str, dict[str, Any]] = {}
    for label, pks in rows.items():
        for pk in pks:
            if (label, pk) in images:
                change, columns = images[label, pk]
                pair = [_part(change.before, columns), _part(change.after, columns)]
                found.setdefault(label, {})[pk] = pair
    if not found:
        return None
    encoded = _encode({"images": found})
    return msgspec.json.decode(encoded) if len(encoded) <= most else None


def _part(row: Image | None, columns: Collection[str]) -> dict[str, Any] | None:
    return None if row is None else {name: row[name] for name in columns if name in row}
