"""The transports of frames: websockets, server-sent events, polling.

In: an ASGI scope or a Django request. Out: a Connection with a transport for its frames, and error
responses. A transport belongs to one connection.
"""
