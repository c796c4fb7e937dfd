"""What the addresses of the settings stand for."""

import pytest

from server.errors import StartupError
from server.settings.addresses import reachable, split_address


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:8080", "127.0.0.1:8080"),
        ("0.0.0.0:8080", "127.0.0.1:8080"),
        ("[::]:8080", "[::1]:8080"),
        ("models.example:80", "models.example:80"),
        ("unix:/run/mlpserve.sock", "unix:/run/mlpserve.sock"),
        ("8080", "8080"),
    ],
)
def test_a_process_of_the_machine_reaches_it(address: str, expected: str) -> None:
    assert reachable(address) == expected


@pytest.mark.parametrize(
    ("address", "remedy"),
    [
        ("localhost", "give --grpc-address HOST:PORT, such as 127.0.0.1:50051"),
        ("localhost:70000", "give --grpc-address HOST:PORT"),
        ("http://localhost:50051", "it is a URL; give --grpc-address localhost:50051"),
    ],
)
def test_what_is_no_address_to_listen_on(address: str, remedy: str) -> None:
    with pytest.raises(StartupError) as caught:
        split_address(address, "--grpc-address")
    assert remedy in str(caught.value)
