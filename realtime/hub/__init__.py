"""The hub: one a process, between the backend and this process's connections.

Comes in: messages that the backend's upstream receives. Goes out: the same messages, merged, into
the mailbox of each connection that watches their topic. The hub owns its subscribers and what it
watches upstream. A hub belongs to one event loop.
"""
