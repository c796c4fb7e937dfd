"""A real HTTP server with files, which can misbehave as real ones do."""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from harness.http_server import serving


@dataclass(slots=True)
class Mirror:
    """What a mirror serves, how it behaves, and what it was asked for.

    `break_after` holds, for the next answers in turn, after how many bytes the connection breaks;
    at `hold` bytes an answer stops until `release` is set; `shift` is added to the ranges' starts.
    """

    files: Mapping[str, bytes]
    ranges: bool = True
    break_after: list[int] = field(default_factory=list)
    shift: int = 0
    hold: int | None = None
    holding: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    requests: list[tuple[str, str]] = field(default_factory=list)
    address: str = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Send a file, or the part of it that the request asks for."""
        name, range_header = handler.path.rpartition("/")[2], handler.headers.get("Range", "")
        self.requests.append((name, range_header))
        content = self.files.get(name)
        if content is None:
            handler.send_error(404)
            return
        start, total = 0, len(content)
        if range_header and self.ranges:
            start = int(range_header.removeprefix("bytes=").removesuffix("-")) + self.shift
            if start >= total:
                handler.send_error(416)
                return
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        else:
            handler.send_response(200)
        content = content[start:]
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        if self.break_after:
            content = content[: self.break_after.pop(0)]
        if self.hold is not None:
            handler.wfile.write(content[: self.hold])
            self.holding.set()
            self.release.wait(timeout=60)
            content = content[self.hold :]
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            handler.wfile.write(content)


@contextlib.contextmanager
def serve(mirror: Mirror) -> Iterator[Mirror]:
    """Run the mirror on a free port until the block ends."""

    with serving(mirror.answer) as address:
        mirror.address = f"http://{address}/mnist/"
        try:
            yield mirror
        finally:
            mirror.release.set()
