"""Sockets by the hundred: ours, and what others serve them with."""
