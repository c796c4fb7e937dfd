"""Addresses and times that a command can't use are explained in a line, before anything is sent."""

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from mlpserve.command.commands import mlpserve
from tests.mlpserve.serving import Serving

TOKEN = "0123456789abcdef"


@pytest.fixture
def picture(tmp_path: Path) -> str:
    """A picture file."""
    levels = np.zeros((28, 28), np.uint8)
    levels[8:20, 12:16] = 255
    Image.fromarray(levels).save(tmp_path / "1.png")
    return str(tmp_path / "1.png")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(mlpserve, list(arguments))


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://localhost:50051", "is a URL; give HOST:PORT of the server's --grpc-address, such"),
        (
            "https://example.com",
            "example.com:50051, and turn TLS on with --tls or --ca FILE$",
        ),
        ("localhost", "has no port; give HOST:PORT, such as localhost:50051"),
        ("localhost:99999", "has the port 99999, where no server can be called; give one from 1"),
        ("localhost:0", "has the port 0, where no server can be called"),
        ("::1", "is an IPv6 address without brackets"),
        ("", "is empty; wanted HOST:PORT"),
    ],
)
@pytest.mark.parametrize("with_token", [False, True])
def test_addresses(
    address: str, words: str, with_token: bool, picture: str, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    options = ["--token-file", str(token)] if with_token else []
    result = run("predict", picture, "--address", address, *options)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: address ")
    assert re.search(words, line)


TIMES = {
    "inf": "the time is inf; give seconds",
    "-inf": "the time is -inf; give seconds",
    "nan": "the time is nan; give seconds",
    "0": "the time is 0.0; give seconds",
    "-1": "the time is -1.0; give seconds",
    "1e300": "the time is 1e+300; give seconds",
    "31536001": "the time is 31536001.0; give seconds",
    "ten": "'ten' is not a valid float",
    "": "'' is not a valid float",
}


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("predict", "picture.png"), "--timeout-seconds"),
        (("top", "127.0.0.1:1"), "--timeout-seconds"),
        (("top", "127.0.0.1:1", "--once"), "--interval-seconds"),
    ],
)
def test_times(time: str, arguments: tuple[str, ...], option: str) -> None:
    result = run(*arguments, f"{option}={time}")
    assert result.exit_code == 2
    *_, line = result.stderr.splitlines()
    assert line.startswith(f"Error: Invalid value for '{option}': {TIMES[time]}")


def test_an_interval_has_a_least() -> None:
    result = run("top", "127.0.0.1:1", "--interval-seconds", "0.05")
    assert "the time is 0.05; give seconds from 0.1 up to 31536000" in result.stderr


@pytest.mark.parametrize("time", ["1", "0.5e2", "31536000"])
def test_times_that_can_be(time: str, picture: str, serving: Serving) -> None:
    result = run("predict", picture, "--address", serving.address, "--timeout-seconds", time)
    assert result.exit_code == 0, result.output
