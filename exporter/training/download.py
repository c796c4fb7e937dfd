"""Downloads MNIST's files from public mirrors, and resumes what broke off."""

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)

from exporter.files import write_file
from exporter.training.mnist import CHECKSUMS, MnistError, read, unpack

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)

ROUNDS = 2
"""How often each mirror is tried: the second time resumes after a connection that broke."""

TIMEOUT_SECONDS = 30.0

NO_PROXY = dict.fromkeys(("all://localhost", "all://127.0.0.1", "all://[::1]"))
"""Mirrors on this machine are reached without a proxy, which would look for them on its own."""


def fetch(
    folder: Path,
    *,
    mirrors: Sequence[str] = MIRRORS,
    checksums: Mapping[str, str] = CHECKSUMS,
    console: Console | None = None,
) -> list[Path]:
    """Download the files named in `checksums` into `folder`, gzipped, and return their paths.

    Files that are there and right are left alone. A broken download stays as `NAME.gz.part` and is
    resumed where it ended, from any of the mirrors (URLs of folders). A file gets its name
    only when the SHA-256 of its content is right. `console` shows the progress. Raises
    MnistError when no mirror gives a file, saying what each one did, and OSError when the folder
    can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = TextColumn("{task.description}")
    columns = text, BarColumn(), DownloadColumn(), TransferSpeedColumn()
    # Identity: what is stored must be the .gz file itself, at offsets that Range counts.
    client = httpx.Client(
        timeout=TIMEOUT_SECONDS,
        follow_redirects=True,
        headers={"Accept-Encoding": "identity"},
        mounts=NO_PROXY,
    )
    with client, Progress(*columns, console=console or Console(stderr=True)) as progress:
        return [
            _fetch_file(client, folder / f"{name}.gz", checksum, mirrors, progress)
            for name, checksum in checksums.items()
        ]


def _fetch_file(
    client: httpx.Client, path: Path, checksum: str, mirrors: Sequence[str], progress: Progress
) -> Path:
    """Download one file from the first mirror that has it right."""
    task = progress.add_task(path.name, total=None)
    if path.exists():
        with contextlib.suppress(MnistError):
            _check(path, checksum)
            progress.update(task, total=path.stat().st_size, completed=path.stat().st_size)
            return path
    part = path.with_name(f"{path.name}.part")
    failures = []
    for mirror in [*mirrors] * ROUNDS:
        try:
            _download(client, f"{mirror.rstrip('/')}/{path.name}", part, progress, task)
            write_file(path, _check(part, checksum))
            part.unlink()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # What has arrived so far stays for the next attempt.
            failures.append(f"{mirror}: {str(error) or type(error).__name__}")
        except MnistError as error:
            part.unlink(missing_ok=True)
            failures.append(f"{mirror}: {error}")
        else:
            return path
    reasons = "; ".join(dict.fromkeys(failures))
    raise MnistError(
        f"{path.name} can't be fetched: {reasons}. Try again, name another --mirror, or copy it to "
        f"{path}"
    )


def _download(
    client: httpx.Client, address: str, part: Path, progress: Progress, task: TaskID
) -> None:
    """Append to `part` what it lacks of the file at `address`.

    Raises httpx.HTTPError when the connection breaks or the server refuses, MnistError when it
    sends another range than asked for.
    """
    size = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={size}-"} if size else {}
    with client.stream("GET", address, headers=headers) as response:
        if size and response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            # Nothing follows: the part is whole, or wrong, which its checksum will tell.
            return
        response.raise_for_status()
        resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
        if resumed:
            content_range = response.headers.get("Content-Range", "")
            if not content_range.startswith(f"bytes {size}-"):
                raise MnistError(f"asked for bytes from {size} on, got {content_range!r}")
        else:
            size = 0
        length = response.headers.get("Content-Length")
        progress.update(task, total=size + int(length) if length else None, completed=size)
        with part.open("ab" if resumed else "wb") as file:
            for block in response.iter_raw():
                file.write(block)
                progress.advance(task, len(block))


def _check(path: Path, checksum: str) -> bytes:
    """Return the file's bytes when the SHA-256 of its content is right; raises MnistError."""
    content = read(path)
    digest = hashlib.sha256(unpack(path, content)).hexdigest()
    if digest != checksum:
        raise MnistError(f"{path.name} has a content of SHA-256 {digest}, wanted {checksum}")
    return content
