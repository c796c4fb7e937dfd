"""Commands that the programs suggest work as they are printed, where they were started."""

import re
import shlex
from collections.abc import Iterator

import numpy as np
import pytest

from tests.documents.clone import Clone, clone
from tests.documents.commands import Command, fault_of

PYTHON = ".venv/bin/python"
HINT = re.compile(r"(?:with: |export it: |`)(\.venv/bin/[^`\n]+)")


def hints(reader: Clone, *arguments: str) -> list[str]:
    """Return what a command suggests, each of which a program must take."""
    ended = reader.start(PYTHON, "-m", *arguments)
    found = HINT.findall(ended.stderr)
    assert found, ended.stderr
    for line in found:
        words = tuple(shlex.split(line))
        assert not fault_of(Command("a message", words, is_pasted=True))
    return found


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    with clone(tmp_path_factory.mktemp("clone")) as made:
        yield made


def test_suggestions_lead_from_nothing_to_a_served_network(reader: Clone) -> None:
    (export,) = hints(reader, "server")
    reader.sh(export)
    assert (reader.folder / "models" / "digits" / "1").is_dir()
    (_serve,) = hints(reader, "exporter", "export")

    np.savez(reader.folder / "my net.npz", W1=np.ones((3, 784)), b1=np.zeros(3))
    chosen = ("--output-activation", "softmax")
    export, serve = hints(reader, "exporter", "import", "my net.npz", *chosen)
    reader.sh(export)
    with reader.serve(serve):
        assert '"default_model":"my-net"' in reader.sh("curl --silent localhost:8080/v1/models")


def test_others_suggest_what_there_is(reader: Clone) -> None:
    """Downloads and long commands are not run."""
    weights = "checkpoints/handmade.npz"
    for arguments, suggested in (
        (("handmade",), f"export --weights {weights} --name handmade"),
        (("import", weights, "--output", "other.npz"), f"export --weights {weights}"),
        (("card", "--weights", weights), f"evaluate --weights {weights} --record"),
        (("train",), "fetch"),
    ):
        (found,) = hints(reader, "exporter", *arguments)
        assert found == f"{PYTHON} -m exporter {suggested}"
