"""The settings of `invalidation`, read live from `settings.INVALIDATION` over these defaults."""

from __future__ import annotations

from dataclasses import dataclass

from realtime.conf import Conf


@dataclass(frozen=True, slots=True)
class Defaults:
    """Every setting with its default; docs/reference/settings.md explains each."""

    MAX_ROWS: int = 1_000
    MAX_TRANSACTION_ROWS: int = 2_000
    MAX_TOPICS: int = 100
    MAX_IMAGE_BYTES: int = 16_384


conf = Conf("INVALIDATION", Defaults())
