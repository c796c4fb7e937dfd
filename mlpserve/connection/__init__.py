"""How a client reaches its server: where it is, whom to trust, how gRPC is to behave."""
