"""How frames travel: websockets, server-sent events, polling.

Comes in: an ASGI scope or a Django request. Goes out: a Connection with a transport that carries
its frames, and error responses. A transport belongs to one connection.
"""
