"""`frames.js`: what is sent is divided into frames that servers take, by their bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TypeVar

LONGEST_FRAME = 48_000

T = TypeVar("T")


def in_frames(items: Iterable[T]) -> list[list[T]]:
    """Divide items: one frame for all, unless it would be too long."""
    frames: list[list[T]] = []
    room = 0
    for item in items:
        length = len(json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode()) + 1
        if length > room:
            frames.append([])
            room = LONGEST_FRAME
        frames[-1].append(item)
        room -= length
    return frames
