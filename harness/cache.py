"""Folders in the user's cache, for what takes long to make and is the same in every run."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

UNUSED_SECONDS = 7 * 24 * 3600.0
"""After which a folder is removed."""


def made(name: str, inputs: Iterable[bytes], make: Callable[[Path], None]) -> Path:
    """Return a folder that `make` has filled, once for the same inputs; it is to be read only.

    `make` gets a folder that exists and is renamed later, so it must not hold its own path.
    """
    target = _target(name, inputs)
    with target.with_suffix(".lock").open("w") as lock:
        # Others, such as another process of the same run, wait rather than make it too.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            new = _new(target)
            try:
                make(new)
                new.rename(target)
            except BaseException:
                shutil.rmtree(new)
                raise
    os.utime(target)
    return target


@contextlib.contextmanager
def taken(name: str, inputs: Iterable[bytes]) -> Iterator[Path]:
    """A folder for this block alone, with what the last one with the same inputs left there, or
    empty; one that fails leaves nothing.
    """
    target = _target(name, inputs)
    own = _new(target)
    with contextlib.suppress(FileNotFoundError):
        target.rename(own)
    try:
        yield own
    except BaseException:
        shutil.rmtree(own, ignore_errors=True)
        raise
    os.utime(own)
    try:
        own.rename(target)
    except OSError:
        # Somebody else has left theirs meanwhile.
        shutil.rmtree(own)


def _target(name: str, inputs: Iterable[bytes]) -> Path:
    """Return where the folder of these inputs is, after removing what nobody uses any more."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlpserve-tests"
    cache.mkdir(parents=True, exist_ok=True)
    for path in cache.glob(f"{name}-*/"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < time.time() - UNUSED_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
    digest = hashlib.sha256()
    for content in inputs:
        digest.update(hashlib.sha256(content).digest())
    return cache / f"{name}-{digest.hexdigest()[:16]}"


def _new(target: Path) -> Path:
    return Path(tempfile.mkdtemp(prefix=f"{target.name}-", dir=target.parent))
