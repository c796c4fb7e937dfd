"""The commands of docs/deploying.md and other pages, which tests run as they stand there."""

import re

from harness.server_process import ROOT


def blocks(page: str = "deploying") -> list[str]:
    """Return the shell commands of a page, block by block."""
    text = (ROOT / "docs" / f"{page}.md").read_text()
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(part: str, page: str = "deploying") -> str:
    """Return the only block that has this in it."""
    (found,) = (block for block in blocks(page) if part in block)
    return found
