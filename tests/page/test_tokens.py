"""A server that wants a token: the page asks for it, and keeps it in the tab."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from harness.browser import open_page
from harness.server_process import ServerProcess, start_server
from tests.page.storage import settle

TOKEN = "a-token-of-this-test-0123456789"


@pytest.fixture(scope="module")
def guarded(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    tokens = tmp_path_factory.mktemp("tokens") / "tokens"
    tokens.write_text(f"page: {TOKEN}\n")
    with start_server(repository, "--tokens-file", str(tokens)) as server:
        yield server


def test_it_asks_for_the_token(browser: Browser, guarded: ServerProcess) -> None:
    with open_page(browser, guarded.http_address) as opened:
        page = opened.page
        dialog = page.get_by_role("dialog", name="This server requires a token")
        expect(dialog).to_be_visible()
        expect(dialog.get_by_label("Token")).to_be_focused()

        dialog.get_by_label("Token").fill("a-wrong-token-of-this-test")
        page.keyboard.press("Enter")
        expect(dialog.get_by_role("alert")).to_contain_text("does not know this token")

        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(page.locator("#banner")).to_contain_text("requires a token")
        page.get_by_role("button", name="Enter a token").click()

        dialog.get_by_label("Token").fill(f" {TOKEN} ")
        dialog.get_by_role("button", name="Use this token").click()
        expect(dialog).to_be_hidden()
        settle(page)
        expect(page.locator("#banner")).to_be_empty()

        page.reload()
        settle(page)
        expect(dialog).to_be_hidden()
        kept = page.evaluate(
            "[Object.values(sessionStorage), Object.values(localStorage), document.cookie]"
        )
        assert kept[0] == [TOKEN]
        assert TOKEN not in str(kept[1:])

        other = page.context.new_page()
        other.goto(page.url)
        expect(other.get_by_role("dialog")).to_be_visible()
        assert all("401" in error for error in opened.errors)
        opened.errors.clear()
