"""What carries messages through Redis: ours, and the two layers of channels_redis."""
