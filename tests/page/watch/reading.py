"""Finds what the page shows."""

from playwright.sync_api import Locator, Page, expect

from tests.page.watch.sending import Sent


def tile(page: Page, title: str) -> Locator:
    """The headline number of that title."""
    return page.locator(".tile").filter(has=page.get_by_text(title, exact=True))


def panel(page: Page, title: str) -> Locator:
    """The panel of that title, with a chart."""
    return page.locator(".panel").filter(has=page.get_by_role("heading", name=title, exact=True))


def table(page: Page, title: str) -> Locator:
    """The panel of that title, with a table."""
    return page.locator(".panel").filter(has=page.get_by_role("region", name=title, exact=True))


def row(page: Page, title: str, name: str) -> Locator:
    """The row of a table that begins with a name."""
    head = page.get_by_role("rowheader", name=name, exact=True)
    return table(page, title).locator("tbody tr").filter(has=head)


def cells(row: Locator) -> dict[str, str]:
    """The cells of a table's row by their columns' heads."""
    heads = row.locator("xpath=ancestor::table").locator("thead th").all_text_contents()
    return dict(zip(heads, row.locator("th, td").all_text_contents(), strict=True))


def expect_calls(page: Page, sent: Sent) -> None:
    """Wait until the page shows all calls that were sent."""
    expect(tile(page, "Calls")).to_contain_text(f"{sent.methods.total()} since the start")
