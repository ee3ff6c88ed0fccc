"""The servers measured: ours, Channels, a bare loop, Socket.IO. Each runs on the same core."""
