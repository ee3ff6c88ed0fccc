"""Who may watch what."""

from realtime.access.rules import aallowed, allow, allowed, may_watch

__all__ = ["aallowed", "allow", "allowed", "may_watch"]
