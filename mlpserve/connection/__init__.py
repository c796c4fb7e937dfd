"""How a client reaches its server: its address, whom to trust, and gRPC's options."""
