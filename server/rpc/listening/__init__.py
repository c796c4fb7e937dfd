"""How callers are connected: the address, TLS, pings, and the age of a connection."""
