"""What is said once the server serves: where it is, and the pages to open."""

from pathlib import Path

import httpx

from harness.server_process import start_server
from harness.waiting import PATIENCE_SECONDS


def test_it_says_where_the_pages_are(repository: Path) -> None:
    """`make run` shows this line; a terminal makes the address a link."""
    with start_server(repository, "--http-address", "0.0.0.0:0") as server:
        (line,) = (line for line in server.log if line["event"] == "serving")
        port = server.http_address.rpartition(":")[2]
        assert line["page"] == f"http://127.0.0.1:{port}/"
        assert line["watch"] == f"http://127.0.0.1:{port}/watch"
        pages = [httpx.get(line[name], timeout=PATIENCE_SECONDS) for name in ("page", "watch")]
    for page in pages:
        assert page.headers["content-type"].startswith("text/html")
        assert "<title>mlpserve" in page.text
    assert pages[0].text != pages[1].text
