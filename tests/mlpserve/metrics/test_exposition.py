"""Pages of metrics are read, and what is none is told of."""

import contextlib
import math
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from harness.http_server import serving
from mlpserve.metrics.exposition import PageError, fetch, parse
from tests.mlpserve.serving import Serving


def test_values_and_labels_of_all_kinds() -> None:
    text = r"""# HELP a What it is. {b="c"} 3
a 1
a{} 2
b{x="1, y=\"2\"}",z="\\n\n"} +Inf 1700000000
c{le="+Inf"} NaN

d no number
nothing
"""
    found = parse(text)
    assert found["a"] == {frozenset(): 2}
    assert found["b"] == {frozenset({("x", '1, y="2"}'), ("z", "\\n\n")}): math.inf}
    ((labels, value),) = found["c"].items()
    assert labels == frozenset({("le", "+Inf")})
    assert math.isnan(value)
    assert set(found) == {"a", "b", "c"}


@contextlib.contextmanager
def answering(status: int, text: bytes) -> Iterator[str]:
    """A server that answers everything so; yields its address."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text)

    with serving(answer) as address:
        yield address


@pytest.mark.parametrize(
    ("status", "text", "message"),
    [
        (404, b"mlpserve_workers 2\n", "is not an mlpserve server: /metrics answers 404"),
        (
            200,
            b"up 1\n",
            "is not an mlpserve server: /metrics answers 200 without mlpserve_workers",
        ),
        (200, b"\xff\xfe", "does not speak HTTP"),
    ],
)
def test_what_is_no_page_of_a_server(status: int, text: bytes, message: str) -> None:
    with answering(status, text) as address, pytest.raises(PageError) as caught:
        fetch(address, 10)
    assert str(caught.value).startswith(f"{address} {message}")
    assert "--http-address" in str(caught.value)


def test_names_can_not_steer_the_terminal() -> None:
    page = b'mlpserve_workers 1\na{b="\x1b[2J\xc3\xa9\xc2\x9b"} 1\n'
    with answering(200, page) as address:
        assert fetch(address, 10)["a"] == {frozenset({("b", "\ufffd[2J\u00e9\ufffd")}): 1}


def test_the_address_of_grpc(serving: Serving) -> None:
    with pytest.raises(PageError, match=r"does not speak HTTP; .* not that of gRPC"):
        fetch(serving.address, 10)


def test_nobody_answers(silent_address: str) -> None:
    with pytest.raises(PageError) as caught:
        fetch(silent_address, 10)
    assert str(caught.value).startswith(f"{silent_address} does not answer (connection refused).")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "localhost",
        "localhost:http",
        "ftp://a:1",
        "http://a",
        "a:99999",
        "a" * 70 + ":80",
        "a..b:80",
    ],
)
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(
        PageError, match="is not an address; give HOST:PORT, such as localhost:8080"
    ):
        fetch(address, 10)


def test_an_address_may_be_a_url() -> None:
    with answering(200, b"mlpserve_workers 2\n") as address:
        assert fetch(f"http://{address}/metrics", 10) == {"mlpserve_workers": {frozenset(): 2}}
