"""What helps against a failed call, in the terms of a Python program and of the command."""

import re
from dataclasses import dataclass

from mlpserve.connection.address import DEFAULT_ADDRESS, GRPC_PORT, HTTP_PORTS


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to do, in words that follow what is wrong: in a Python program, and with the command
    `mlpserve`.
    """

    python: str
    command: str

    @classmethod
    def same(cls, words: str) -> "Remedy":
        """Return a remedy that is the same in both."""
        return cls(words, words)


MORE_TIME = Remedy("give it more time with timeout_seconds=", "raise --timeout-seconds")
NO_TOKEN = Remedy(
    "give Client(..., token=TOKEN), one of the server's tokens",
    "give --token-file FILE, a file with one of the server's tokens and nothing else",
)
UNKNOWN_TOKEN = Remedy(
    "give the client another token=: the token itself, not the name of its file",
    "give another --token-file FILE; is the token in it an old one?",
)

_OTHER_PORT = "give the address of the server's --grpc-address, such as {host}:50051"
_SHOWN: tuple[tuple[str, Remedy], ...] = (
    ("resol", Remedy.same("is the host's name right, and known to this machine?")),
    ("http1|got frame type 80", Remedy.same(f"it speaks HTTP, not gRPC; {_OTHER_PORT}")),
    ("ALPN", Remedy.same(f"it speaks TLS, but not gRPC; {_OTHER_PORT}")),
    (
        "WRONG_VERSION_NUMBER",
        Remedy("it does not speak TLS; leave tls= out", "it does not speak TLS; leave out --tls"),
    ),
    (
        "certificate has expired|not yet valid",
        Remedy.same("the server's certificate must be renewed, or a clock is wrong"),
    ),
    (
        "Hostname Verification|[Pp]eer name|not in peer certificate",
        Remedy.same("call the server by a name that its certificate has"),
    ),
    (
        "CERTIFICATE_VERIFY_FAILED",
        Remedy(
            "trust the authority of its certificate with tls=mlpserve.Tls(ca=FILE)",
            "trust the authority of its certificate with --ca FILE",
        ),
    ),
    (
        "CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE",
        Remedy(
            "does it ask for a client certificate? Give tls=mlpserve.Tls(certificate=, key=)",
            "does it ask for a client certificate? Give --certificate and --key",
        ),
    ),
    (
        "Socket closed|Connection reset",
        Remedy(
            "does it speak TLS? Give tls=mlpserve.Tls(ca=FILE); with certificate=FILE and key=FILE "
            "if it asks for a client certificate",
            "does it speak TLS? Give --tls or --ca FILE; with --certificate and --key if it asks "
            "for a client certificate",
        ),
    ),
)
"""What gRPC's words show of a server that can't be reached, and what helps."""

_UNKNOWN = Remedy(
    "is a server running there, at its --grpc-address{port}? `make run` in mlpserve's repository "
    f"starts one at {DEFAULT_ADDRESS}; one with TLS needs tls=mlpserve.Tls(ca=FILE)",
    "is a server running there, at its --grpc-address{port}? `make run` in mlpserve's repository "
    f"starts one at {DEFAULT_ADDRESS}; give the address of another, and --tls or --ca FILE if it "
    "has TLS",
)


def reach(address: str, words: str) -> Remedy:
    """Return what helps when gRPC can't reach a server, or has lost it, and says `words`."""
    if not re.search("failed to connect|resol", words):
        return Remedy.same("it may be restarting; try again later")
    host, _, port = address.rpartition(":")
    found = next((remedy for shown, remedy in _SHOWN if re.search(shown, words)), _UNKNOWN)
    hint = f" ({port} is a usual port of HTTP, {GRPC_PORT} that of gRPC)"
    values = {"host": host or "HOST", "port": hint if port in HTTP_PORTS else ""}
    return Remedy(found.python.format(**values), found.command.format(**values))
