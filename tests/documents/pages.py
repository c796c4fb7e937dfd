"""The pages of documentation and their blocks of code, which tests run as they stand there.

`tests/documents/test_blocks.py` finds the calls of `block` and `blocks` in all tests, so that a
block of commands that no test takes is noticed.
"""

import re
from dataclasses import dataclass
from functools import cache

from harness.server_process import ROOT

PROGRAMS = ("sh", "python", "yaml")
"""The languages of blocks that a reader runs, or copies into a file."""

_FENCE = re.compile(r"^( *)```(.*)$")
_HEADING = re.compile(r"^(#+) (.+)$")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of code: where it is, and its text without the fence and its indent."""

    page: str
    headings: tuple[str, ...]
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def names() -> list[str]:
    """Return the pages that a reader follows, by their paths from the repository's root."""
    docs = sorted((ROOT / "docs").glob("*.md"))
    return ["README.md", "CONTRIBUTING.md", *(str(path.relative_to(ROOT)) for path in docs)]


def text(page: str) -> str:
    """Return what a page says."""
    return (ROOT / page).read_text()


@cache
def blocks_of(page: str) -> tuple[Block, ...]:
    """Return every block of a page, of any language."""
    return tuple(read(page, text(page)))


def read(page: str, content: str) -> list[Block]:
    """Return the blocks in the content of a page."""
    found: list[Block] = []
    headings: list[str] = []
    inside: re.Match[str] | None = None
    lines: list[str] = []
    for number, line in enumerate(content.splitlines(), 1):
        fence = _FENCE.match(line)
        if inside:
            if fence and not fence[2]:
                program = "".join(f"{one.removeprefix(inside[1])}\n" for one in lines)
                where = (page, tuple(headings), number - len(lines) - 1)
                found.append(Block(*where, inside[2], program))
                inside = None
            else:
                lines.append(line)
        elif fence:
            inside, lines = fence, []
        elif heading := _HEADING.match(line):
            headings = [*headings[: len(heading[1]) - 1], heading[2]]
    assert not inside, f"{page}: a block has no end"
    return found


def blocks(page: str, language: str = "", section: str = "") -> list[Block]:
    """Return the blocks of a page that a reader runs, or those of one language, such as "sh" or
    "text", below a heading and its headings, in their order; fails if there are none.
    """
    languages = (language,) if language else PROGRAMS
    found = [
        block
        for block in blocks_of(page)
        if block.language in languages and (not section or section in block.headings)
    ]
    assert found, f"{page} has no such block: {language or 'program'}, {section or 'anywhere'}"
    return found


def block(page: str, part: str) -> Block:
    """Return the only block of a page that has this in it; fails if there is none, or another."""
    found = [block for block in blocks_of(page) if part in block.text]
    assert len(found) == 1, f"{page} has {len(found)} blocks with {part!r}, wanted one"
    return found[0]
