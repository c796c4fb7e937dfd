"""Fetching MNIST from real HTTP servers that break, lie or know no ranges."""

import gzip
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from exporter.training import download, mnist
from harness.server_process import ROOT
from tests.exporter.mirror import Mirror, serve

IMAGES, LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"
FILES = {name: (ROOT / "tests" / "data" / name).read_bytes() for name in (IMAGES, LABELS)}
CHECKSUMS = {name.removesuffix(".gz"): mnist.CHECKSUMS[name.removesuffix(".gz")] for name in FILES}
HALF = len(FILES[IMAGES]) // 2


def fetch(folder: Path, *mirrors: Mirror) -> str:
    """Fetch the two files and return what the terminal showed."""
    console = Console(file=io.StringIO(), width=100)
    addresses = [mirror.address for mirror in mirrors]
    paths = download.fetch(folder, mirrors=addresses, checksums=CHECKSUMS, console=console)
    assert paths == [folder / name for name in FILES]
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_fetches_what_is_missing_and_shows_progress(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    with serve(Mirror(FILES)) as mirror:
        shown = fetch(folder, mirror)
        assert content(folder) == FILES
        assert mirror.requests == [(IMAGES, ""), (LABELS, "")]
        assert IMAGES in shown
        assert "1.6/1.6 MB" in shown
        fetch(folder, mirror)
        assert len(mirror.requests) == 2, "files that are right are not fetched again"
    assert mnist.load(folder, "test")[0].shape == (10_000, 784)


def test_other_compression_of_the_same_content_is_right(tmp_path: Path) -> None:
    files = {name: gzip.compress(gzip.decompress(data), 1) for name, data in FILES.items()}
    assert files[LABELS] != FILES[LABELS]
    with serve(Mirror(files)) as mirror:
        fetch(tmp_path, mirror)
    assert content(tmp_path) == files


def test_broken_download_is_resumed(tmp_path: Path) -> None:
    with serve(Mirror(FILES, break_after=[HALF])) as mirror:
        fetch(tmp_path, mirror)
    assert mirror.requests == [(IMAGES, ""), (IMAGES, f"bytes={HALF}-"), (LABELS, "")]
    assert content(tmp_path) == FILES


def test_a_mirror_on_this_machine_is_asked_without_a_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        # Nobody listens there.
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "a.example")
    with serve(Mirror(FILES)) as mirror:
        fetch(tmp_path, mirror)
    assert content(tmp_path) == FILES


def test_broken_download_is_resumed_from_the_next_mirror(tmp_path: Path) -> None:
    with serve(Mirror(FILES, break_after=[HALF])) as first, serve(Mirror(FILES)) as second:
        fetch(tmp_path, first, second)
    assert second.requests == [(IMAGES, f"bytes={HALF}-")]
    assert content(tmp_path) == FILES


def test_resumes_from_a_server_without_ranges(tmp_path: Path) -> None:
    with serve(Mirror(FILES, ranges=False, break_after=[HALF])) as mirror:
        fetch(tmp_path, mirror)
    assert mirror.requests[1] == (IMAGES, f"bytes={HALF}-")
    assert content(tmp_path) == FILES


def test_part_that_is_whole_already(tmp_path: Path) -> None:
    (tmp_path / f"{IMAGES}.part").write_bytes(FILES[IMAGES])
    with serve(Mirror(FILES)) as mirror:
        fetch(tmp_path, mirror)
    assert mirror.requests == [(IMAGES, f"bytes={len(FILES[IMAGES])}-"), (LABELS, "")]
    assert content(tmp_path) == FILES


@pytest.mark.parametrize(
    "part", [b"x" * 100, FILES[IMAGES] + b"x"], ids=["wrong beginning", "too long"]
)
def test_wrong_part_is_thrown_away(tmp_path: Path, part: bytes) -> None:
    (tmp_path / f"{IMAGES}.part").write_bytes(part)
    with serve(Mirror(FILES)) as mirror:
        fetch(tmp_path, mirror)
    assert mirror.requests == [(IMAGES, f"bytes={len(part)}-"), (IMAGES, ""), (LABELS, "")]
    assert content(tmp_path) == FILES


def test_server_that_sends_another_range(tmp_path: Path) -> None:
    (tmp_path / f"{IMAGES}.part").write_bytes(FILES[IMAGES][:HALF])
    with serve(Mirror(FILES, shift=-10)) as mirror:
        fetch(tmp_path, mirror)
    assert mirror.requests[1] == (IMAGES, "")
    assert content(tmp_path) == FILES


def test_wrong_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / LABELS).write_bytes(FILES[LABELS][:-1])
    with serve(Mirror(FILES)) as mirror:
        fetch(tmp_path, mirror)
    assert content(tmp_path) == FILES


def test_wrong_content_is_not_taken(tmp_path: Path) -> None:
    turned = bytearray(gzip.decompress(FILES[IMAGES]))
    turned[5000] ^= 1
    wrong = FILES | {IMAGES: gzip.compress(bytes(turned), 1)}
    with serve(Mirror(wrong)) as first, serve(Mirror(FILES)) as second:
        with pytest.raises(
            mnist.MnistError, match=rf"{IMAGES} can't be fetched: .* of SHA-256 .*wanted 0fa7898d"
        ):
            fetch(tmp_path, first)
        assert content(tmp_path) == {}
        fetch(tmp_path, first, second)
    assert content(tmp_path) == FILES


def test_says_what_each_mirror_did(tmp_path: Path) -> None:
    with serve(Mirror({})) as gone:
        pass
    with (
        serve(Mirror({})) as empty,
        serve(Mirror(FILES, break_after=[10, 10])) as breaking,
        pytest.raises(mnist.MnistError) as caught,
    ):
        fetch(tmp_path, gone, empty, breaking)
    message = str(caught.value)
    assert re.search(f"{gone.address}: .*refused", message)
    assert f"{empty.address}: Client error '404 Not Found'" in message
    assert f"{breaking.address}: peer closed connection" in message
    assert f"Try again, name another --mirror, or copy it to {tmp_path / IMAGES}" in message
    assert content(tmp_path) == {f"{IMAGES}.part": FILES[IMAGES][:20]}, "two breaks, 10 bytes each"


def test_killed_download_leaves_a_part_that_is_resumed(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib; from exporter.training import download; "
        "download.fetch(pathlib.Path(sys.argv[1]), "
        f"mirrors=[sys.argv[2]], checksums={CHECKSUMS!r})"
    )
    with serve(Mirror(FILES, hold=HALF)) as mirror:
        command = [sys.executable, "-c", script, str(tmp_path), mirror.address]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        try:
            assert mirror.holding.wait(timeout=60)
            part = tmp_path / f"{IMAGES}.part"
            while not (part.exists() and part.stat().st_size):
                assert process.poll() is None
        finally:
            process.kill()
            process.wait()
        arrived = part.stat().st_size
        assert list(content(tmp_path)) == [part.name]
        mirror.hold = None
        mirror.release.set()
        fetch(tmp_path, mirror)
    assert mirror.requests[1] == (IMAGES, f"bytes={arrived}-")
    assert content(tmp_path) == FILES
