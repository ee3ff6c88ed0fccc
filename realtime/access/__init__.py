"""Who may watch what."""

from realtime.access.asking import aallowed, allowed, may_watch
from realtime.access.rules import allow

__all__ = ["aallowed", "allow", "allowed", "may_watch"]
