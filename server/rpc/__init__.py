"""gRPC only: turns calls into requests for the other rooms and their answers into messages."""

import os

# grpc reads it at its first import. Its own lines, one for each failed handshake, are no JSON.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
