"""One client's connection, whatever transport carries it, and all connections of a process.

Comes in: a user whom the transport has found, and the frames that the client sends. Goes out:
frames for the client, made of what waits in its mailbox. A connection owns what it watches; the
registry owns the connections. All of it belongs to the event loop of its hub.
"""
