"""The hub: one in each process, between the backend and this process's connections.

In: messages that the backend's upstream receives. Out: the same messages, merged, in the mailbox of
each connection that watches their topic. The hub owns its subscribers and the topics that it
watches upstream. A hub belongs to one event loop.
"""
