"""The page as a whole."""

from playwright.sync_api import Page, expect

from tests.page.storage import settle


def test_it_opens_without_errors(page: Page) -> None:
    expect(page.get_by_role("heading", name="Draw a digit")).to_be_visible()
    settle(page)
