"""What the addresses of the settings stand for."""

import pytest

from server.settings.addresses import reachable


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
