"""gRPC only: turns calls into requests for the other rooms and their answers into messages."""

import logging
import os

# grpc reads it at its first import. Its core writes lines that are not JSON, which callers can
# provoke, such as one for each malformed header, and blocks until they have been read.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")


def _holds_no_header(line: logging.LogRecord) -> bool:
    """Whether a line of grpc's has no bytes to show, which are those of a header."""
    values = line.args if isinstance(line.args, tuple) else ()
    return not any(isinstance(value, bytes) for value in values)


# They would log bytes that are not UTF-8, even of a token.
for _name in ("grpc._cython.cygrpc", "grpc._common"):
    logging.getLogger(_name).addFilter(_holds_no_header)
