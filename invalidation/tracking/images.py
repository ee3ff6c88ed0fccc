"""The images of the rows of a message, which travel with it between the servers.

`Message.extra` is `{"images": {label: {pk: [before, after]}}}`, where `before` and `after` are
`{column: value}` or None, and values are JSON's: decimals, dates and times are text. It holds the
image columns only, and no other columns of topics. `realtime` drops it before it sends to a client.
A message whose images exceed MAX_IMAGE_BYTES carries none; a reader must then treat every value as
unknown. The messages of one transaction share the images of a row, so code must not change them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from invalidation.changes import Change, Image

_encode = msgspec.json.Encoder(enc_hook=str).encode
_decode = msgspec.json.decode


class Images:
    """The images of the rows that one transaction changed, each encoded once for all messages.

    `max_bytes` is the limit for the images of one message.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._encoded: dict[tuple[str, str], bytes] = {}
        self._pairs: dict[tuple[str, str], Any] = {}

    def add(self, label: str, change: Change, columns: Collection[str]) -> None:
        """Keep the image columns of a row of the model `label`, before and after its change."""
        pair = (_part(change.before, columns), _part(change.after, columns))
        self._encoded[label, change.pk] = _encode(pair)

    def of(self, rows: Mapping[str, Mapping[str, object]]) -> object:
        """Return the `extra` of a message about `rows`; None without images, or above the limit."""
        known = [(label, pk) for label in rows for pk in rows[label]]
        known = [row for row in known if row in self._encoded]
        if not known or sum(len(self._encoded[row]) for row in known) > self._max_bytes:
            return None
        images: dict[str, dict[str, Any]] = {}
        for row in known:
            label, pk = row
            if row not in self._pairs:
                self._pairs[row] = _decode(self._encoded[row])
            images.setdefault(label, {})[pk] = self._pairs[row]
        return {"images": images}


def _part(row: Image | None, columns: Collection[str]) -> dict[str, Any] | None:
    return None if row is None else {name: row[name] for name in columns if name in row}
