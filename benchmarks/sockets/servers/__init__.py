"""What serves the sockets: ours, Channels, a bare loop, Socket.IO. Each has the same core."""
