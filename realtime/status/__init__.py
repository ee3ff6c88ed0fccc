"""Whether all is well: what the backend says, what waits, and what the processes that serve say.

Those are asked over the backend itself, so that an answer shows the whole way, there and back.
"""
