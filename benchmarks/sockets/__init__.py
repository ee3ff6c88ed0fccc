"""Load on many websockets: our server beside others."""
