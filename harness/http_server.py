"""An HTTP server for tests that need somebody to ask or to tell."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextlib.contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """Let `answer` answer each GET and POST on a free port until the block ends; yields the
    address, HOST:PORT.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def do_POST(self) -> None:
            answer(self)

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = False
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def receiving(
    take: Callable[[BaseHTTPRequestHandler, Any], None],
) -> AbstractContextManager[str]:
    """Hand `take` each POST and its JSON, and answer with 200, until the block ends; yields the
    address, HOST:PORT.
    """

    def answer(request: BaseHTTPRequestHandler) -> None:
        take(request, json.loads(request.rfile.read(int(request.headers["Content-Length"]))))
        request.send_response(200)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return serving(answer)
