"""The management commands of `realtime`."""
