"""Every block of commands or code on the pages is taken from there by a test, which runs it."""

from tests.documents import pages, takes

SHOWN = ("text", "json", "mermaid")
"""The languages of blocks that show something."""


def test_every_block_says_what_it_is() -> None:
    known = (*pages.PROGRAMS, *SHOWN)
    found = [block for page in pages.names() for block in pages.blocks_of(page)]
    assert len(found) > 50
    unknown = [f"{block}: {block.language!r}" for block in found if block.language not in known]
    assert not unknown, f"wanted one of {', '.join(known)}"


def test_every_block_is_run_by_a_test() -> None:
    taken = {block for take in takes.takes() for block in take.blocks()}
    left = [
        block
        for page in pages.names()
        for block in pages.blocks_of(page)
        if block.language in pages.PROGRAMS and block not in taken
    ]
    shown = "".join(f"{block}\n{block.text}" for block in left)
    assert not shown, f"run them in a test that takes them by pages.block(PAGE, PART):\n{shown}"
