"""Access control, independent of transports: identities, rules and tickets.

In: a user and topics. Out: the answers of the project's rules, tickets, identities. `rules` owns
the registry, which is filled when apps are loaded; `rule_threads` owns the threads in which rules
run.
"""

from realtime.access.evaluate import aallowed, allowed
from realtime.access.rules import allow
from realtime.access.tickets import aticket, ticket

__all__ = ["aallowed", "allow", "allowed", "aticket", "ticket"]
