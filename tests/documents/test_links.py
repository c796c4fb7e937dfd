"""Links between the pages lead to files, and to headings, that are there."""

import re
from pathlib import PurePosixPath

from harness.server_process import ROOT
from tests.documents import pages

LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def prose(page: str) -> str:
    """Return a page without its blocks, in which # begins a comment."""
    return re.sub(r"^ *```.*?^ *```$", "", pages.text(page), flags=re.MULTILINE | re.DOTALL)


def anchors(page: str) -> set[str]:
    """Return what a link to each heading ends with."""
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(prose(page))]
    return {heading.replace(" ", "-") for heading in plain}


def test_links_lead_somewhere() -> None:
    broken = []
    for page in pages.names():
        for link in LINK.findall(prose(page)):
            path, _, anchor = link.partition("#")
            target = (ROOT / page).parent.joinpath(PurePosixPath(path)) if path else ROOT / page
            if ":" in path:
                continue
            if not target.exists():
                broken.append(f"{page}: {link}")
            elif anchor and target.suffix == ".md":
                name = str(target.resolve().relative_to(ROOT))
                if anchor not in anchors(name):
                    broken.append(f"{page}: {link}")
    assert broken == []
