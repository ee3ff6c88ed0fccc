"""The state of a client's connection, independent of its transport, and the process's registry.

In: the identity that the transport found, and the client's frames. Out: frames for the client,
among them the messages of its mailbox. A connection owns its subscriptions; the registry owns the
connections. The event loop of the hub owns all of it.
"""
