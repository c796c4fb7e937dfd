"""What the APIs and the page answer besides their content: headers, statuses, and who may ask."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import orjson
import pytest
from starlette.datastructures import Headers

from harness.server_process import ServerProcess, start_server
from server.http.coding.compression import chosen
from server.http.coding.json_text import PIECE_NUMBERS, dump
from server.settings.addresses import split_address

PIXELS = {"pixels": [0.5] * 784}
TOKEN = "0123456789abcdef"
ALLOWED = "https://allowed.example"


@pytest.fixture(scope="module")
def client(server: ServerProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://{server.http_address}", timeout=60) as opened:
        yield opened


def test_a_request_id_comes_back(client: httpx.Client) -> None:
    for path in ("/v1/models", "/nothing", "/"):
        assert (
            client.get(path, headers={"x-request-id": "abc-1"}).headers["x-request-id"] == "abc-1"
        )
    for other in ("", "a b", "a" * 2000):
        assert (
            "x-request-id" not in client.get("/v1/models", headers={"x-request-id": other}).headers
        )


def test_a_slash_at_the_end_changes_nothing(client: httpx.Client) -> None:
    assert client.get("/v1/models/").json() == client.get("/v1/models").json()
    assert client.post("/v1/predict/", json=PIXELS).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "NOT_FOUND"),
        ("GET", "/v1/nothing", 404, "NOT_FOUND"),
        ("GET", "/v1/predict", 405, "UNIMPLEMENTED"),
        ("DELETE", "/v1/models", 405, "UNIMPLEMENTED"),
        ("POST", "/", 405, "UNIMPLEMENTED"),
        ("POST", "/watch", 405, "UNIMPLEMENTED"),
        ("POST", "/readyz", 405, "UNIMPLEMENTED"),
        ("OPTIONS", "/v1/models", 405, "UNIMPLEMENTED"),
        ("GET", "/static/nothing.js", 404, "NOT_FOUND"),
        ("GET", "/static", 404, "NOT_FOUND"),
        ("GET", "/static/", 404, "NOT_FOUND"),
        ("GET", "/static/js", 404, "NOT_FOUND"),
        ("GET", "/static/%00", 404, "NOT_FOUND"),
        ("GET", "/static/" + "a" * 5000, 404, "NOT_FOUND"),
    ],
)
def test_what_there_is_not_is_refused_in_json(
    client: httpx.Client, method: str, path: str, status: int, code: str
) -> None:
    refused = client.request(method, path)
    assert refused.status_code == status
    assert refused.headers["content-type"] == "application/json"
    assert refused.json()["code"] == code
    assert refused.json()["error"]


@pytest.mark.parametrize(
    "path",
    ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd"],
)
def test_there_is_no_way_out_of_the_pages_folder(server: ServerProcess, path: str) -> None:
    with socket.create_connection(split_address(server.http_address, ""), 60) as connection:
        head = f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.makefile("rb").read().startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize(
    "path", ["/", "/watch", "/static/js/main.js", "/static/css/base.css", "/static/watch/main.js"]
)
def test_the_page_keeps_to_itself(client: httpx.Client, path: str) -> None:
    page = client.get(path)
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    assert "unsafe" not in policy
    assert not re.search(r"https?:|\*", policy)
    for directive in ("frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"):
        assert directive in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-cache"
    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    tag = page.headers["etag"]
    again = client.get(path, headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["content-security-policy"] == policy
    assert client.get(path, headers={"if-none-match": '"other"'}).status_code == 200


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_large_answers_are_compressed_for_those_who_like_it(
    client: httpx.Client, coding: str
) -> None:
    for path in ("/v1/network", "/watch"):
        packed = client.get(path, headers={"accept-encoding": coding})
        plain = client.get(path, headers={"accept-encoding": "identity"})
        assert packed.headers["content-encoding"] == coding
        assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 2
        assert packed.content == plain.content
        assert "Accept-Encoding" in packed.headers["vary"]
        assert "content-encoding" not in plain.headers
    assert "content-encoding" not in client.get("/v1/models").headers


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br", "gzip"),
        ("deflate", "deflate"),
        ("gzip;q=0.5, deflate;q=0.8", "deflate"),
        ("gzip;q=0, deflate", "deflate"),
        ("gzip;q=0", ""),
        ("*", "gzip"),
        ("*;q=0", ""),
        ("br", ""),
        ("gzip;q=nonsense", ""),
        ("", ""),
    ],
)
def test_the_coding_that_is_liked_best(accepted: str, coding: str) -> None:
    assert chosen(Headers({"accept-encoding": accepted})) == coding


@pytest.mark.parametrize(
    "shape",
    [(3 * PIECE_NUMBERS + 1,), (2, 2 * PIECE_NUMBERS), (1000, 100), (3, 7, 5000), (2, 3)],
)
def test_many_numbers_are_written_as_few_are(shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(1).random(shape, np.float32)
    written = orjson.loads(dump({"a": [array, 1]}))
    assert written["a"][1] == 1
    again = np.asarray(written["a"][0], np.float32)
    assert again.shape == shape
    assert np.array_equal(again, array)


@pytest.fixture(scope="module")
def guarded(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with tokens, for pages of one other origin too, on all addresses."""
    file = tmp_path_factory.mktemp("tokens") / "tokens"
    file.write_text(f"caller: {TOKEN}\n")
    file.chmod(0o600)
    arguments = (
        *("--tokens-file", str(file), "--http-address", "0.0.0.0:0"),
        *("--http-cors-origins", f"{ALLOWED}, http://localhost:3000"),
    )
    with start_server(repository, *arguments) as server:
        yield server


@pytest.fixture(scope="module")
def asked(guarded: ServerProcess) -> Iterator[httpx.Client]:
    port = split_address(guarded.http_address, "")[1]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as opened:
        yield opened


def test_tokens_hold_for_the_apis_and_not_for_the_pages(asked: httpx.Client) -> None:
    for path in ("/", "/watch", "/static/js/main.js", "/metrics", "/readyz"):
        assert asked.get(path).status_code == 200
    refused = asked.post("/v1/predict", json=PIXELS)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Bearer realm="mlpserve"'
    assert refused.json()["reason"] == "NO_TOKEN"
    wrong = asked.get("/v1/models", headers={"authorization": "Bearer wrongwrongwrongwrong"})
    assert wrong.status_code == 401
    assert 'error="invalid_token"' in wrong.headers["www-authenticate"]
    known = {"authorization": f"Bearer {TOKEN}"}
    assert asked.post("/v1/predict", json=PIXELS, headers=known).json()["labels"] == [8]
    twice = [("authorization", f"Bearer {TOKEN}"), ("authorization", "Basic other")]
    assert asked.get("/v1/models", headers=twice).status_code == 401


def test_tokens_on_a_network_without_tls_are_warned_of(guarded: ServerProcess) -> None:
    (line,) = (
        line
        for line in guarded.log
        if line["event"] == "tokens are sent unencrypted because TLS is off"
    )
    assert line["http"] == guarded.http_address
    assert "--http-tls on" in line["remedy"]


def preflight(client: httpx.Client, origin: str, path: str = "/v1/predict") -> httpx.Response:
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type, x-server-timing",
    }
    return client.options(path, headers=headers)


def test_pages_of_chosen_origins_may_call(asked: httpx.Client) -> None:
    allowed = preflight(asked, ALLOWED)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == ALLOWED
    assert "authorization" in allowed.headers["access-control-allow-headers"].lower()
    known = {"authorization": f"Bearer {TOKEN}"}
    for headers, status in ((known, 200), ({}, 401)):
        answer = asked.post("/v1/predict", json=PIXELS, headers={"origin": ALLOWED, **headers})
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == ALLOWED
        assert "retry-after" in answer.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in answer.headers
        assert "Origin" in answer.headers["vary"]


def test_pages_of_other_origins_may_not(asked: httpx.Client, client: httpx.Client) -> None:
    for origin in ("https://other.example", f"{ALLOWED}.other.example", "null"):
        refused = preflight(asked, origin)
        assert refused.status_code == 400
        assert "access-control-allow-origin" not in refused.headers
        read = asked.get("/", headers={"origin": origin})
        assert "access-control-allow-origin" not in read.headers
    # Nor those of any origin, unless they are set.
    assert preflight(client, ALLOWED).status_code == 405
    assert not [
        name
        for name in client.get("/v1/models", headers={"origin": ALLOWED}).headers
        if name.startswith("access-control")
    ]
    # What watches the server has no answer for pages.
    monitored = asked.get("/metrics", headers={"origin": ALLOWED})
    assert "access-control-allow-origin" not in monitored.headers


def test_all_origins_may_call_without_credentials(repository: Path) -> None:
    with (
        start_server(repository, "--http-cors-origins", "*") as server,
        httpx.Client(base_url=f"http://{server.http_address}", timeout=60) as client,
    ):
        answer = client.get("/v1/models", headers={"origin": ALLOWED, "cookie": "a=b"})
        assert answer.headers["access-control-allow-origin"] in ("*", ALLOWED)
        assert "access-control-allow-credentials" not in answer.headers
        assert preflight(client, ALLOWED).status_code == 200


def test_without_the_apis_there_is_what_watches(repository: Path, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"caller: {TOKEN}\n")
    tokens.chmod(0o600)
    arguments = ("--http-api", "off", "--http-address", "0.0.0.0:0", "--tokens-file", str(tokens))
    with start_server(repository, *arguments) as server:
        port = split_address(server.http_address, "")[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            for path in ("/metrics", "/healthz", "/readyz"):
                assert client.get(path).status_code == 200
            for path in ("/", "/watch", "/v1/models", "/v2", "/static/js/main.js"):
                assert client.get(path).json()["code"] == "NOT_FOUND"
    (serving,) = (line for line in server.log if line["event"] == "serving")
    assert not {"page", "watch"} & serving.keys()
    assert [line for line in server.log if line.get("level") == "warning"] == []
