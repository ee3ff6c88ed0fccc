"""Messages through Redis: our backend beside the two layers of channels_redis."""
