"""What a relay says of itself."""

from __future__ import annotations

import msgspec


class RelayStatus(msgspec.Struct, frozen=True):
    """How a relay does. Times are in seconds.

    `queued` counts what was committed in its process and not sent yet, the first of it `lag` ago.
    `swept` ago it had last looked for what others left behind; None before its first look.
    `away` says that the backend does not take what it sends.
    """

    queued: int
    lag: float
    swept: float | None
    away: bool
