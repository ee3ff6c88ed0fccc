"""How messages travel to clients."""
