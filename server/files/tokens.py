"""Bearer tokens: which callers are allowed, from a file of names and tokens."""

import functools
import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from server.errors import StartupError, Unauthenticated
from server.files.watched_files import WatchedFiles, warn_if_readable
from server.telemetry import metrics

MAX_TOKENS = 256  # Names are label values of a metric.

_SPACES = " \t"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
# The syntax of RFC 6750, with a minimum length, because shorter tokens can be guessed.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{16,1024}=*")
_AUTHORIZATION = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]+=*)")

Names = Mapping[bytes, str]
"""Callers' names by the SHA-256 of their tokens: a lookup's time may reveal a digest only."""


class Tokens:
    """The tokens of a file, read again when it changes."""

    def __init__(self, part: str, path: Path, kind: str) -> None:
        """Read the file; raises StartupError. `kind` is what messages call these tokens."""
        self.files = WatchedFiles(part, (path,), lambda: read_tokens(path))
        send = (
            f"send `authorization: Bearer TOKEN` with one of {kind}: with the command mlpserve by "
            "--token-file FILE, with its Python client by token="
        )
        # Cached, because looking them up by their labels costs as much as the check.
        self._calls = functools.cache(lambda name: metrics.TOKEN_CALLS.labels(part, name))
        self._missing = Unauthenticated("no_token", f"the call has no token; {send}")
        self._malformed = Unauthenticated(
            "no_token", f"the authorization metadata is not a bearer token; {send}"
        )
        self._unknown = Unauthenticated("unknown_token", f"the call's token is not known; {send}")

    def refusal(self, metadata: Iterable[tuple[str, str | bytes]]) -> Unauthenticated | None:
        """Return why a call with this metadata is rejected, None if it is accepted and counted."""
        values = {value for key, value in metadata if key == "authorization"}
        if not values:
            return self._missing
        # Of several values, one may be that of a proxy which passed the call on.
        given = _AUTHORIZATION.fullmatch(str(values.pop()))
        if given is None or values:
            return self._malformed
        # Not read from the file, which every guess would then cause.
        name = self.files.content.get(_digest(given[1]))
        if name is None:
            return self._unknown
        self._calls(name).inc()
        return None


def read_tokens(path: Path) -> Names:
    """Return the tokens of a file with lines `name: token`; # begins a comment line.

    A name may have several tokens, for rotation. Spaces and tabs around both are ignored. Raises
    StartupError, which gives the number of the line but nothing of its content.
    """
    try:
        # Not splitlines, which also splits at other characters.
        lines = path.read_bytes().decode().replace("\r\n", "\n").split("\n")
        warn_if_readable(path)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise StartupError(
            f"the tokens file {path} can't be read: {reason}; give a file with lines `name: token`"
        ) from error
    found: dict[bytes, str] = {}
    for number, line in enumerate(lines, start=1):
        line = line.strip(_SPACES)
        if not line or line.startswith("#"):
            continue
        name, _, token = (part.strip(_SPACES) for part in line.partition(":"))
        if not _NAME.fullmatch(name) or not _TOKEN.fullmatch(token):
            raise StartupError(
                f"line {number} of the tokens file {path} is not `name: token`: a name has 1 to 64 "
                "of a-z, A-Z, 0-9 and . _ -, a token 16 or more of these and ~ + / =; `openssl "
                "rand -hex 32` makes one"
            )
        digest = _digest(token)
        if digest in found:
            raise StartupError(
                f"line {number} of the tokens file {path} repeats a token; give each caller its own"
            )
        found[digest] = name
    if not found:
        raise StartupError(f"the tokens file {path} contains no token; add a line `name: token`")
    if len(found) > MAX_TOKENS:
        raise StartupError(
            f"the tokens file {path} contains {len(found)} tokens, more than {MAX_TOKENS}"
        )
    return found


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
