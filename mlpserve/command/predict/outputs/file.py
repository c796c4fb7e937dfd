"""A file of results, which has its name once it is whole."""

import os
import stat
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path


@dataclass(slots=True)
class OutputFile:
    """A file at `path`, called `part` until it is finished; anything else, such as a pipe, is
    written to directly, and both are the same.

    `n_bytes` is how many bytes of whole rows it has.
    """

    path: Path
    part: Path
    _file: FileIO
    n_bytes: int = field(default=0, init=False)

    @classmethod
    def create(cls, path: Path) -> "OutputFile":
        """Create the file beside the one that it replaces in the end; raises OSError."""
        # What a link leads to is replaced, not the link.
        target = Path(os.path.realpath(path))
        is_special = target.exists() and not stat.S_ISREG(target.stat().st_mode)
        part = target if is_special else target.with_name(f"{target.name}.part")
        return cls(target, part, FileIO(part, "w"))

    @property
    def is_special(self) -> bool:
        """Whether it is a pipe or a device, not a file, in which nothing can be mended."""
        return self.path == self.part

    def write(self, rows: bytes) -> None:
        """Append whole rows; raises OSError."""
        left = memoryview(rows)
        while left:
            left = left[self._file.write(left) :]
        self.n_bytes += len(rows)

    def rewrite_start(self, header: bytes) -> None:
        """Write a header anew, over one of the same length; raises OSError."""
        self._file.seek(0)
        self._file.write(header)

    def finish(self) -> None:
        """Give the file its name; raises OSError."""
        if not self.is_special:
            os.fsync(self._file.fileno())
        self._file.close()
        if not self.is_special:
            self.part.replace(self.path)

    def stop(self) -> None:
        """Leave the whole rows that there are under the other name, or nothing if there are none;
        raises OSError.
        """
        with self._file:
            if self.is_special:
                return
            self._file.truncate(self.n_bytes)
        if not self.n_bytes:
            self.part.unlink()
