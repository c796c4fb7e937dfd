"""Reads inputs and makes parts of them, one call each, in order."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlpserve.command.arrays.header import ArrayError
from mlpserve.command.arrays.reading import check_gzip, count_images, read_blocks
from mlpserve.command.messages import explain_file, printable, warn
from mlpserve.command.predict.files import open_picture
from mlpserve.command.predict.folders import describe, find_pictures
from mlpserve.command.predict.inputs import Array, Folder, Input, Picture, Unreadable
from mlpserve.command.predict.rows import Drawing, Failure, Name, Part
from mlpserve.command.predict.target import Target
from mlpserve.images import as_pixels, doubt_scale
from mlpserve.pictures import Invert, PictureError, read_picture

MAX_PICTURES = 64
"""Pictures in a call: few, so that the first answers of many appear soon."""

MAX_IMAGES, MAX_BYTES = 512, 2**21
"""Images of an array in a call, and their bytes."""


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """A picture that has been read."""

    name: Name
    image: Drawing
    is_drawn: bool


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads inputs for a model; `invert` says whether the ink of pictures is dark."""

    target: Target
    invert: Invert

    def read(self, inputs: Iterable[Input]) -> Iterator[Part | Failure]:
        """Yield the images of inputs in order, in parts for one call each, and between them what
        can't be read, which ends a part.
        """
        pictures: list[_Read] = []
        for item in self._read(inputs):
            if isinstance(item, _Read):
                pictures.append(item)
                if len(pictures) < MAX_PICTURES:
                    continue
            if pictures:
                yield self._join(pictures)
                pictures = []
            if not isinstance(item, _Read):
                yield item
        if pictures:
            yield self._join(pictures)

    def _read(self, inputs: Iterable[Input]) -> Iterator[_Read | Part | Failure]:
        for entry in inputs:
            match entry:
                case Picture(path):
                    yield self._read_picture(path, is_drawn=True)
                case Folder(path):
                    yield from self._read_folder(path)
                case Array():
                    yield from self._read_array(entry)
                case Unreadable(path, reason):
                    yield Failure([Name(printable(path))], reason, was_told=True)

    def _read_picture(self, path: str, *, is_drawn: bool) -> _Read | Failure:
        name = Name(printable(path))
        try:
            with open_picture(path) as file:
                wanted = self.target.pictures
                image = read_picture(file, wanted.shape, wanted.layout, self.invert)
        except PictureError as error:
            return Failure([name], printable(str(error)))
        return _Read(name, image, is_drawn)

    def _read_folder(self, folder: str) -> Iterator[_Read | Failure]:
        passed_over: Counter[str] = Counter()
        is_empty = True
        for found in find_pictures(folder, passed_over):
            is_empty = False
            if isinstance(found, OSError):
                name = Name(printable(found.filename or folder))
                yield Failure([name], explain_file(found))
            else:
                yield self._read_picture(found, is_drawn=False)
        title, endings = printable(folder), printable(describe(passed_over))
        if is_empty:
            found_else = f", only {endings}" if endings else ""
            reason = f"contains no pictures{found_else}; pictures end in .png, .jpg and the like"
            yield Failure([Name(title)], reason)
        elif endings:
            warn(title, f"skipped files whose names don't end like a picture's: {endings}")

    def _read_array(self, array: Array) -> Iterator[Part | Failure]:
        """Yield the images of an array, and those that can't be read when it ends too early."""
        header, path, title = array.header, Path(array.path), printable(array.path)
        n_images = count_images(header, self.target.n_pixels)
        n_read = 0
        # Of other numbers than pixels there is no telling.
        is_told = not self.target.takes_pixels
        try:
            if header.is_gzipped:
                check_gzip(path, header)
            n_bytes = header.n_bytes // n_images
            n_block = max(1, min(MAX_IMAGES, MAX_BYTES // n_bytes))
            for block in read_blocks(path, header, n_images, n_block):
                pixels = as_pixels(block)
                if not is_told and (doubt := doubt_scale(pixels)):
                    warn(title, doubt)
                    is_told = True
                names = _number(title, n_read, n_read + len(pixels))
                n_read += len(pixels)
                yield Part(names, pixels)
        except (ArrayError, OSError) as error:
            is_file = isinstance(error, OSError)
            reason = explain_file(error) if is_file else printable(str(error))
            if not n_read:
                yield Failure([Name(title)], reason)
                return
            while n_read < n_images:
                end = min(n_read + MAX_IMAGES, n_images)
                yield Failure(_number(title, n_read, end), reason)
                n_read = end

    def _join(self, pictures: list[_Read]) -> Part:
        """Return a part of pictures, in the numbers that the model takes for black and white."""
        images = np.stack([picture.image.reshape(-1) for picture in pictures])
        sent = self.target.pictures.encode(images)
        drawings = [picture.image if picture.is_drawn else None for picture in pictures]
        return Part([picture.name for picture in pictures], sent, drawings)


def _number(title: str, start: int, end: int) -> list[Name]:
    return [Name(title, index) for index in range(start, end)]
