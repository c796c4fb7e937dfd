"""What docs/learn.md and docs/training.md have readers paste works, and prints what they show.

The training images are few, and test images too, so that what training prints has other numbers.
"""

import gzip
import hashlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from exporter import cli
from exporter.network import weights_file
from exporter.network.network import Batch
from exporter.training import mnist
from exporter.training.mnist import Labels
from harness.server_process import ROOT, ServerProcess
from tests.documents import clone, pages
from tests.documents.clone import Clone
from tests.exporter.mirror import Mirror, serve
from tests.exporter.training_images import write_mnist

LEARN = "docs/learn.md"
TRAINING = "docs/training.md"
FETCH = ".venv/bin/python -m exporter fetch"
PICTURE = Path("docs/learn/neuron.png")
END = "end of the block"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """A clone with MNIST's files, downloaded as both pages say, but from a mirror of few images."""
    images = tmp_path_factory.mktemp("images")
    write_mnist(images)
    files = {path.name: path.read_bytes() for path in images.iterdir()}
    lines = [
        pages.block(LEARN, "exporter fetch").text.strip(),
        pages.block(TRAINING, "exporter fetch").text.splitlines()[0],
    ]
    with clone.clone(tmp_path_factory.mktemp("clone")) as made, pytest.MonkeyPatch.context() as m:
        # The page's program draws anew a picture that the repository has.
        (made.folder / "docs").unlink()
        (made.folder / PICTURE).parent.mkdir(parents=True)
        m.chdir(made.folder)
        for name, packed in files.items():
            digest = hashlib.sha256(gzip.decompress(packed)).hexdigest()
            m.setitem(mnist.CHECKSUMS, name.removesuffix(".gz"), digest)
        with serve(Mirror(files)) as mirror:
            for line in lines:
                assert shlex.split(line, comments=True) == FETCH.split()
                mirrors = {"fetch": {"mirrors": [mirror.address]}}
                ended = CliRunner().invoke(cli.main, ["fetch"], default_map=mirrors)
                assert ended.exit_code == 0, ended.output
        assert sorted(path.name for path in Path("data/mnist").iterdir()) == sorted(files)
        yield made


@pytest.fixture(scope="module")
def server(fresh: Clone) -> Iterator[ServerProcess]:
    """The server that `make run` starts, as the page says within its text."""
    assert "`make run`" in pages.text(LEARN)
    with fresh.serve("make --old-file=.venv/ready run") as started:
        yield started


@pytest.fixture(scope="module")
def printed(fresh: Clone, server: ServerProcess) -> list[str]:
    """What each program of the page prints, pasted into one Python, each followed by Enter."""
    programs = [block.text for block in pages.blocks(LEARN, "python")]
    pasted = "".join(f"{program}\nprint({END!r})\n" for program in programs)
    (fresh.folder / "pasted").write_text(pasted)
    shown = fresh.sh(".venv/bin/python -W error -i -q < pasted 2> errors")
    # Besides errors, its prompts go there.
    assert not re.sub(r"(>>>|\.\.\.|\s)", "", (fresh.folder / "errors").read_text())
    outputs = shown.split(f"{END}\n")
    assert len(outputs) == len(programs) + 1
    return outputs


def shown_below_programs() -> list[tuple[str, bool]]:
    """Return what the page shows below each program, and whether that depends on MNIST."""
    shown: list[tuple[str, bool]] = []
    for block in pages.blocks_of(LEARN):
        depends = "Gradient descent" in block.headings
        if block.language == "python":
            shown.append(("", depends))
        elif block.language == "text":
            assert not shown[-1][0]
            shown[-1] = block.text, depends
    return shown


def test_programs_print_what_is_shown_below_them(printed: list[str]) -> None:
    shown = shown_below_programs()
    assert sum(bool(text) for text, _ in shown) >= 9
    assert any(depends for text, depends in shown if text)
    for (wanted, depends), found in zip(shown, printed, strict=False):
        if depends:
            # Numbers of digits after a point, which come from the training images.
            share = r"\d+\.\d\d"
            assert re.sub(share, "#", found) == re.sub(share, "#", wanted)
        else:
            assert found == wanted


def test_the_picture_is_drawn_as_it_is_shown(fresh: Clone, printed: list[str]) -> None:
    assert f"({PICTURE.relative_to('docs')})" in pages.text(LEARN)
    with Image.open(ROOT / PICTURE) as kept, Image.open(fresh.folder / PICTURE) as drawn:
        wanted, found = (np.asarray(image, np.float64) for image in (kept, drawn))
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).mean() < 1


def test_the_network_that_was_trained_is_served(
    fresh: Clone, server: ServerProcess, printed: list[str], digits: tuple[Batch, Labels]
) -> None:
    measured = fresh.sh(pages.block(LEARN, "exporter evaluate").text)
    saved = weights_file.load(fresh.folder / "checkpoints" / "mine.npz")
    share = saved.network.accuracy(*digits)
    assert f"Accuracy on the test images: {share:.2%}" in measured
    # From few images, in few steps; chance is right on a tenth.
    assert share > 0.5
    while server.wait_for("model loaded")["model"] != "mine":
        pass
    answers = fresh.sh(pages.block(LEARN, "mlpserve predict").text).splitlines()
    assert sum("examples/digits/" in answer for answer in answers) == 10


def test_training(fresh: Clone) -> None:
    # The shipped recipe, for 3 of its 250 epochs, and measured without distortions.
    _fetch, *lines = pages.block(TRAINING, "exporter train").text.splitlines()
    train, evaluate = (line.partition("#")[0] for line in lines)
    assert fresh.sh(f"{train} --epochs 3 2> progress").endswith("checkpoints/digits.npz\n")
    for line in (evaluate, pages.block(TRAINING, "--data tests/data").text.strip()):
        measured = fresh.sh(f"{line} --no-distortions")
        assert "Accuracy on the test images: " in measured
    assert "97.39%" in measured
