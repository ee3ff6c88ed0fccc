"""The database's catalogue, as far as capture depends on it.

In: a table's name and a connection. Out: its TableFacts, read once. The connection's journal keeps
them until the connection, or a statement on it, may have changed them. `foreign_keys` reads which
foreign keys have actions, for the whole process.
"""

from invalidation.capture.catalogue.reading import facts_before, facts_of

__all__ = ["facts_before", "facts_of"]
