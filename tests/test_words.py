"""Words that English readers stumble over stay out of the files that people write."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

BETTER: Mapping[str, str] = {
    r"\ba (8|11|18|8\d)\b(?![.,]\d|x\d)": "an 8",
    r"\b[Tt]urn(ed|s)? round\b": "inverted",
    r"\bturned to \(n_out": "transposed",
    r"\b(MOST|LEAST|LONGEST|LARGEST)_(?!SIDE|REQUEST)[A-Z]\w*": "MAX_, MIN_",
    r"\bput_right\b|\b[Pp]ut(s|ting)? (images?|each image|them) right\b": "normalise",
    r"\btakes? (it|them|\w+) for what\b": "mistakes for what",
    r"\b(an)?other number of (pixels|images|values|rows|bytes)\b": "a different number of",
    r"\bof no (label|known layout)\b": "has no label, of unknown layout",
    r"\btravel readably\b": "unencrypted",
    r"\bwants attention\b": "has a problem",
    r"\b(is|are|was|were|be|been) passed over\b": "skipped, ignored",
    r"\bcome back later\b": "retry later",
    r"\bmemory than there is\b": "memory than is available",
    r"\bby so much\b": "by this much",
    r"\btruth value\b": "boolean",
    r"\bnot to be had\b": "not available",
    r"\banswers otherwise\b|\botherwise than\b": "differently from",
    r"[;,] wanted (is|are) ": "wanted",
    r"(?<!here )\bis no (valid|number|integer|file|folder|version|layer|list|socket)\b": "is not a",
    r"\b(callers|programs|clients|users|connections|calls) who\b": "that",
}
"""Regular expressions, and what to write instead."""

NOT_OURS = {"CHANGELOG.md", "LICENSE", "tests/test_words.py"}
"""What has been released is named as it was; licences are quoted."""

SUFFIXES = {".py", ".md", ".html", ".js", ".css", ".proto", ".toml", ".yaml", ".yml", ".env"}


def readable() -> Iterator[Path]:
    """Yield the files of the repository that people write."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, names.split("\0")):
        path = REPOSITORY / name
        is_text = path.suffix in SUFFIXES or path.name in ("Makefile", "Dockerfile")
        if is_text and name not in NOT_OURS and path.is_file():
            yield path


def found(text: str) -> Iterator[str]:
    """Yield where a text has one of the words, and the better one."""
    for pattern, better in BETTER.items():
        for match in re.finditer(pattern, text):
            line = text.count("\n", 0, match.start()) + 1
            yield f"{line}: {match[0]!r}; better: {better}"


def test_no_file_has_words_that_readers_stumble_over() -> None:
    faults = [
        f"{path.relative_to(REPOSITORY)}:{fault}"
        for path in readable()
        for fault in found(path.read_text())
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("text", "better"),
    [
        ("the drawing of a 8", "an 8"),
        ("LONGEST_NAME = 3", "MAX_"),
        ("images of another number of pixels", "a different number of"),
    ],
)
def test_they_are_found(text: str, better: str) -> None:
    (fault,) = found(f"first\n{text}\n")
    assert fault.startswith("2: ")
    assert better in fault
