"""The page as a whole."""

from playwright.sync_api import Page, expect


def test_it_opens_without_errors(page: Page) -> None:
    expect(page.get_by_role("heading", name="Draw a digit")).to_be_visible()
    page.wait_for_function(
        "async () => (await import('/static/js/store.js')).store.get('answer') !== null"
    )
