"""Who may watch what, and for how long."""

from realtime.access.asking import aallowed, allowed
from realtime.access.rules import allow
from realtime.access.tickets import aticket, ticket

__all__ = ["aallowed", "allow", "allowed", "aticket", "ticket"]
