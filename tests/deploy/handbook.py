"""The commands of docs/deploying.md, which tests run as they stand there."""

import re

from harness.server_process import ROOT

PAGE = ROOT / "docs" / "deploying.md"


def blocks() -> list[str]:
    """Return the shell commands of the page, block by block."""
    return re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def commands(part: str) -> str:
    """Return the only block that has this in it."""
    (found,) = (block for block in blocks() if part in block)
    return found
