"""The server `ours`, with a garbage collector that runs more rarely, as documented."""

import gc

from benchmarks.sockets.servers.ours import application

__all__ = ["application"]

gc.set_threshold(10_000, 20, 20)
