"""The same, with a garbage collector that looks more rarely, as the documentation advises."""

import gc

from benchmarks.sockets.servers.ours import application

__all__ = ["application"]

gc.set_threshold(10_000, 20, 20)
