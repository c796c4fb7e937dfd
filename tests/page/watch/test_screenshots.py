"""The script takes the pictures of /watch that the documents show, and they are small."""

from pathlib import Path

from playwright.sync_api import Browser

from tests.page.test_screenshots import compare, pictures, shown_in
from tests.page.watch.pictures import FOLDER, take

SECONDS = 3.0
PAGES = {"docs/watch.md": "watch/", "docs/dashboards.md": "watch/", "README.md": "docs/watch/"}


def test_the_script_takes_them(browser: Browser, tmp_path: Path) -> None:
    take(browser, tmp_path, SECONDS)
    compare(tmp_path, FOLDER)


def test_the_documents_show_them_all() -> None:
    assert shown_in(PAGES) == pictures(FOLDER).keys()
