"""The script takes the pictures of /watch that the documents show, and they are small."""

import re
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser

from harness.server_process import ROOT
from tests.page.test_screenshots import MAX_BYTES, pictures
from tests.page.watch.pictures import FOLDER, take

SECONDS = 3.0
PAGES = {"docs/watch.md": "watch/", "docs/dashboards.md": "watch/", "README.md": "docs/watch/"}


def test_the_script_takes_them(browser: Browser, tmp_path: Path) -> None:
    take(browser, tmp_path, SECONDS)
    taken, kept = pictures(tmp_path), pictures(FOLDER)
    assert taken.keys() == kept.keys()
    for name, path in taken.items():
        with Image.open(path) as new, Image.open(kept[name]) as old:
            assert new.width == old.width, name
            assert len(np.unique(np.asarray(new))) > 10, name
        assert kept[name].stat().st_size < MAX_BYTES, name


def test_the_documents_show_them_all() -> None:
    shown = set()
    for page, prefix in PAGES.items():
        for alternative, name in re.findall(
            rf"!\[([^\]]+)\]\({prefix}([\w-]+\.png)\)", (ROOT / page).read_text()
        ):
            assert len(alternative) > 30, name
            shown.add(name)
    assert shown == pictures(FOLDER).keys()
