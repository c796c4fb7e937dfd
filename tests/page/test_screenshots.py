"""The script takes the pictures that the documents show, and they are small."""

import re
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


def test_the_script_takes_them(browser: Browser, server: ServerProcess, tmp_path: Path) -> None:
    take(browser, server.http_address, tmp_path)
    taken, kept = pictures(tmp_path), pictures(FOLDER)
    assert taken.keys() == kept.keys()
    for name, path in taken.items():
        with Image.open(path) as new, Image.open(kept[name]) as old:
            # Their heights depend on how a machine's letters break lines.
            assert new.width == old.width, name
            # Not a blank page.
            assert len(np.unique(np.asarray(new))) > 10, name
        assert max(path.stat().st_size, kept[name].stat().st_size) < MAX_BYTES, name


def test_the_documents_show_them_all() -> None:
    shown = set()
    for page, prefix in PAGES.items():
        for alternative, name in re.findall(
            rf"!\[([^\]]+)\]\({prefix}([\w-]+\.png)\)", (ROOT / page).read_text()
        ):
            assert len(alternative) > 30, name
            shown.add(name)
    assert shown == pictures(FOLDER).keys()


def test_readmes_first_picture_is_the_page() -> None:
    first = re.search(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert first
    assert first[1] == "docs/page/page.png"
