"""The transports over HTTP: server-sent events, polling, health."""
