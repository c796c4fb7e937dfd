"""Where rows go: standard output, or a file that has its name once it is whole."""

import os
import stat
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

import click


@dataclass(slots=True)
class StandardOutput:
    """Standard output, which gets rows as soon as they are known."""

    def write(self, rows: str | bytes) -> None:
        """Write whole rows."""
        click.echo(rows, nl=False)

    def rewrite_start(self, _header: bytes) -> None:
        """Not possible."""
        raise AssertionError("standard output has no start to go back to")


@dataclass(slots=True)
class OutputFile:
    """A file at `path`, called `path`.part until it is finished.

    A file that is there is replaced then. `n_bytes` is how many bytes of whole rows it has.
    """

    path: Path
    part: Path
    file: FileIO
    n_bytes: int = field(default=0, init=False)

    @classmethod
    def create(cls, path: Path) -> "OutputFile":
        """Create the file, or open what is there and no file, such as /dev/null; raises OSError."""
        # A link stays one.
        target = Path(os.path.realpath(path))
        is_special = target.exists() and not stat.S_ISREG(target.stat().st_mode)
        part = target if is_special else target.with_name(f"{target.name}.part")
        return cls(target, part, FileIO(part, "w"))

    @property
    def can_rewrite(self) -> bool:
        """Whether it is an ordinary file."""
        return self.path != self.part

    def write(self, rows: str | bytes) -> None:
        """Write whole rows; raises OSError."""
        content = memoryview(rows.encode("utf-8", "surrogateescape") if isinstance(rows, str) else rows)
        n_written = 0
        while n_written < len(content):
            n_written += self.file.write(content[n_written:])
        self.n_bytes += len(content)

    def rewrite_start(self, header: bytes) -> None:
        """Write other bytes at the start, as many as stand there."""
        self.file.seek(0)
        self.file.write(header)

    def finish(self) -> None:
        """Give the file its name; raises OSError."""
        if self.can_rewrite:
            os.fsync(self.file.fileno())
        self.file.close()
        if self.can_rewrite:
            self.part.replace(self.path)

    def stop(self) -> None:
        """Leave what there is of whole rows under its temporary name, or nothing."""
        if self.can_rewrite:
            self.file.truncate(self.n_bytes)
        self.file.close()
        if self.can_rewrite and not self.n_bytes:
            self.part.unlink(missing_ok=True)
