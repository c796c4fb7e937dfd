"""The script takes the pictures that the documents show, and they are small."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser

from harness.server_process import ROOT, ServerProcess
from tests.page.screenshots import FOLDER, take

MAX_BYTES = 150_000
PAGES = {"docs/page.md": "page/", "README.md": "docs/page/"}


def pictures(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in folder.iterdir()}


def compare(new: Path, old: Path) -> None:
    """Hold the pictures of a folder, taken just now, against those that are kept."""
    taken, kept = pictures(new), pictures(old)
    assert taken.keys() == kept.keys()
    for name, path in taken.items():
        with Image.open(path) as picture, Image.open(kept[name]) as known:
            # Their heights depend on how a machine's letters break lines.
            assert picture.width == known.width, name
            # Not a blank page.
            assert len(np.unique(np.asarray(picture))) > 10, name
        assert max(path.stat().st_size, kept[name].stat().st_size) < MAX_BYTES, name


def shown_in(pages: Mapping[str, str]) -> set[str]:
    """Return the pictures that documents show, by these and the folders as each names them."""
    shown = set()
    for page, prefix in pages.items():
        for alternative, name in re.findall(
            rf"!\[([^\]]+)\]\({prefix}([\w-]+\.png)\)", (ROOT / page).read_text()
        ):
            assert len(alternative) > 30, name
            shown.add(name)
    return shown


def test_the_script_takes_them(browser: Browser, server: ServerProcess, tmp_path: Path) -> None:
    take(browser, server.http_address, tmp_path)
    compare(tmp_path, FOLDER)


def test_the_documents_show_them_all() -> None:
    assert shown_in(PAGES) == pictures(FOLDER).keys()


def test_readmes_first_picture_is_the_page() -> None:
    first = re.search(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert first
    assert first[1] == "docs/page/page.png"
