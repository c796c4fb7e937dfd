"""Bodies that arrive compressed, expanded in bounds."""

import zlib
from http import HTTPStatus

from server.http.aside import LARGE_BYTES, aside
from server.http.errors import HttpError

GZIP, ZLIB, RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
CODINGS = {"gzip": GZIP, "x-gzip": GZIP, "deflate": ZLIB}
"""What Content-Encoding may say, and zlib's number for it."""


async def decode(coding: str, body: bytes, max_bytes: int) -> bytes:
    """Return what a body expands to; raises HttpError when that has more than `max_bytes`, or when
    the body is none of this coding.
    """
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        return body
    if coding not in CODINGS:
        raise HttpError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"content-encoding is {coding!r:.80}; send gzip, deflate or no header",
            reason="CONTENT_ENCODING",
            headers={"accept-encoding": "gzip, deflate"},
        )
    expanding = Expanding(coding, body, max_bytes)
    # Few bytes may become many, so that is not known before.
    if not expanding.go_on(LARGE_BYTES):
        await aside(max_bytes, expanding.go_on, max_bytes)
    return expanding.whole


class Expanding:
    """A body that is being expanded."""

    def __init__(self, coding: str, body: bytes, max_bytes: int) -> None:
        self._coding, self._rest, self._max_bytes = coding, body, max_bytes
        window = CODINGS[coding]
        # By the standard it is zlib's format, but some send what is in it alone.
        if window == ZLIB and not _is_zlib(body):
            window = RAW
        self._window = window
        self._decoder = zlib.decompressobj(window)
        self._size = 0
        self._parts: list[bytes] = []

    @property
    def whole(self) -> bytes:
        """What it expands to."""
        return b"".join(self._parts)

    def go_on(self, max_bytes: int) -> bool:
        """Expand up to so many bytes more; returns whether that was all. Raises HttpError."""
        while max_bytes > 0:
            try:
                part = self._decoder.decompress(self._rest, max_bytes)
            except zlib.error as error:
                raise self._broken(str(error)) from error
            self._rest = self._decoder.unconsumed_tail
            self._size, max_bytes = self._size + len(part), max_bytes - len(part)
            if self._size > self._max_bytes:
                raise too_large(self._max_bytes, "expands to")
            self._parts.append(part)
            if self._decoder.eof:
                self._rest = self._decoder.unused_data
                if not self._rest:
                    return True
                # gzip may have several members.
                if self._window != GZIP:
                    raise self._broken("bytes follow its end")
                self._decoder = zlib.decompressobj(GZIP)
            elif not self._rest and not part:
                raise self._broken("it ends early")
        return False

    def _broken(self, why: str) -> HttpError:
        return HttpError(
            HTTPStatus.BAD_REQUEST,
            f"the body is not valid {self._coding}: {why}",
            reason="CONTENT_ENCODING",
        )


def too_large(max_bytes: int, verb: str = "has") -> HttpError:
    """Return the error for a body of more than `max_bytes`."""
    return HttpError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body {verb} more than {max_bytes} bytes; send fewer images in one request, or raise "
        "the server's --max-http-body-bytes",
        reason="BODY_BYTES",
    )


def _is_zlib(body: bytes) -> bool:
    return len(body) > 1 and body[0] & 0x0F == zlib.DEFLATED and (body[0] << 8 | body[1]) % 31 == 0
