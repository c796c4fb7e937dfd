"""gRPC only: turns calls into requests for the other rooms and their answers into messages."""
