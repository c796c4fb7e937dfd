"""A command finds out what listens at localhost, of which gRPC may tell the wrong half."""

import contextlib
import socket
import threading
from collections.abc import Iterator

from mlpserve.command.messages import explain
from mlpserve.command.probing import find_out
from mlpserve.errors import Unavailable
from tests.mlpserve.serving import Serving


def local(address: str) -> str:
    return address.replace("127.0.0.1", "localhost")


@contextlib.contextmanager
def hanging_up(answer: bytes) -> Iterator[str]:
    """A server that answers whatever greets it, and hangs up."""

    def hang_up() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=hang_up)
        thread.start()
        yield f"localhost:{listener.getsockname()[1]}"
        thread.join()


def refused(address: str) -> str:
    error = Unavailable(f"{address} is unavailable: [::1]: Connection refused")
    error.address = address
    return explain(error)


def test_http() -> None:
    with hanging_up(b"HTTP/1.1 404 Not Found\r\n\r\n") as address:
        assert "it speaks HTTP, not gRPC; give the address" in refused(address)


def test_grpc_without_tls(serving: Serving) -> None:
    assert "it does not speak TLS; leave out --tls" in refused(local(serving.address))
    assert find_out(serving.address) == "", "gRPC itself tells all of it"


def test_tls() -> None:
    with hanging_up(b"") as address:
        assert "does it speak TLS? Give --tls or --ca FILE" in refused(address)


def test_nobody(silent_address: str) -> None:
    assert find_out(local(silent_address)) == ""
    assert refused(local(silent_address)).endswith("Connection refused")
