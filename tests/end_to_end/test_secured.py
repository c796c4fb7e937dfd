"""The command reaches a server that speaks TLS and wants to know who calls."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness import certificate
from harness.certificate import Certificate
from harness.server_process import ROOT, ServerProcess, start_server
from mlpserve import Client, Tls, Unavailable
from mlpserve.command.commands import mlpserve

TOKEN = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Secured:
    """A server, and the files with which it can be reached."""

    server: ServerProcess
    authority: Certificate
    caller: Certificate
    token: Path
    seven: Path

    def predict(self, *options: str | Path) -> Result:
        command = ["predict", str(self.seven), "--json", "--address", self.server.grpc_address]
        return CliRunner().invoke(mlpserve, [*command, *map(str, options)])

    @property
    def trust(self) -> list[str | Path]:
        return ["--ca", self.authority.certificate_file]

    @property
    def identity(self) -> list[str | Path]:
        return ["--certificate", self.caller.certificate_file, "--key", self.caller.key_file]


@pytest.fixture(scope="module")
def secured(
    repository: Path, digits: tuple[Batch, Labels], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    authority = certificate.make(folder, "authority")
    its = certificate.sign(authority, folder, "server")
    caller = certificate.sign(authority, folder, "caller")
    tokens, token, seven = folder / "tokens", folder / "token", folder / "seven.png"
    tokens.write_text(f"caller: {TOKEN}\n")
    tokens.chmod(0o600)
    token.write_text(f"{TOKEN}\n")
    Image.fromarray(np.round(255 * digits[0][0].reshape(28, 28)).astype(np.uint8)).save(seven)
    arguments = {
        "--tls-certificate": its.certificate_file,
        "--tls-key": its.key_file,
        "--tls-client-ca": authority.certificate_file,
        "--tokens-file": tokens,
    }
    flags = [str(part) for pair in arguments.items() for part in pair]
    with start_server(repository, *flags) as server:
        yield Secured(server, authority, caller, token, seven)


def test_all_that_it_asks_for(secured: Secured) -> None:
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "mlpserve",
        "predict",
        secured.seven,
        "--json",
        "--address",
    ]
    command += [secured.server.grpc_address, *secured.trust, *secured.identity]
    ended = subprocess.run(
        [*command, "--token-file", secured.token], cwd=ROOT, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout)["label"] == 7


def test_no_token(secured: Secured) -> None:
    ended = secured.predict(*secured.trust, *secured.identity)
    assert ended.exit_code == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("Error: ")
    assert "it has no bearer token; give --token-file FILE" in line
    assert "token=" not in line


@pytest.mark.parametrize(
    ("missing", "remedy"),
    [
        ("tls", "does it speak TLS? Give --tls or --ca FILE"),
        ("authority", "trust the authority of its certificate with --ca FILE"),
        ("certificate", "--certificate and --key"),
    ],
)
def test_no_way_in(secured: Secured, missing: str, remedy: str) -> None:
    options = {
        "tls": [],
        "authority": ["--tls", *secured.identity],
        "certificate": secured.trust,
    }[missing]
    ended = secured.predict(*options)
    assert ended.exit_code == 1
    # Before it gRPC may say itself what it thinks of the certificate.
    line = ended.stderr.splitlines()[-1]
    assert line.startswith(f"Error: {secured.server.grpc_address} is unavailable")
    assert remedy in line
    assert "tls=" not in line


@pytest.mark.parametrize(
    ("tls", "in_python", "by_command"),
    [
        (None, "it speaks HTTP, not gRPC; give the address of the server's --grpc-address", ""),
        (Tls(), "it does not speak TLS; leave tls= out", "it does not speak TLS; leave out --tls"),
    ],
)
def test_the_port_of_http(
    secured: Secured, tls: Tls | None, in_python: str, by_command: str
) -> None:
    address = secured.server.http_address
    with Client(address, tls=tls) as client, pytest.raises(Unavailable) as caught:
        client.list_models()
    assert in_python in str(caught.value)
    ended = secured.predict("--address", address, *(["--tls"] if tls else []))
    assert (by_command or in_python) in ended.stderr


def test_the_port_of_grpc(secured: Secured) -> None:
    ended = CliRunner().invoke(mlpserve, ["top", "--once", secured.server.grpc_address])
    assert "does it speak TLS? Give --tls, or --ca FILE" in ended.stderr


def test_a_token_stays_here_without_tls(secured: Secured) -> None:
    ended = secured.predict("--token-file", secured.token, "--address", "classifier.example:1")
    assert ended.exit_code == 2
    assert "unencrypted; give --tls or --ca" in ended.stderr
    assert TOKEN not in ended.stderr


def test_half_a_certificate(secured: Secured) -> None:
    ended = secured.predict("--certificate", secured.caller.certificate_file)
    assert ended.exit_code == 2
    assert "--certificate and --key go together" in ended.stderr


def test_a_file_that_holds_no_token(secured: Secured, tmp_path: Path) -> None:
    file = tmp_path / "token"
    for content in (b"", b"caller: " + TOKEN.encode(), b"\xff\xfe"):
        file.write_bytes(content)
        ended = secured.predict(*secured.trust, "--token-file", file)
        assert ended.exit_code == 1
        (line,) = ended.stderr.splitlines()
        assert line.startswith("Error: ")
        assert "token" in line
        assert TOKEN not in line


def test_a_load_with_all_that_it_asks_for(secured: Secured) -> None:
    command = ["bench", secured.server.grpc_address, "--seconds", "0.2", "--metrics", "none"]
    options = [*secured.trust, *secured.identity, "--token-file", secured.token]
    result = CliRunner().invoke(mlpserve, [*command, *map(str, options)])
    assert result.exit_code == 0, result.output
    assert "20 sent, 20 answered OK" in result.stdout


def test_a_load_without_a_token(secured: Secured) -> None:
    command = ["bench", secured.server.grpc_address, "--metrics", "none"]
    options = [*secured.trust, *secured.identity]
    result = CliRunner().invoke(mlpserve, [*command, *map(str, options)])
    assert result.exit_code == 1
    assert "--token-file FILE" in result.stderr
