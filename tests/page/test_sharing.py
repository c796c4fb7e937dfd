"""Links that hold the drawing, and lines to copy that ask the same elsewhere."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from harness.browser import Watched, open_page
from harness.server_process import ROOT, ServerProcess, start_server
from mlpserve import Client
from tests.page.odd_networks import FLOWERS
from tests.page.pen import draw, pixels, ready, settle, slide
from tests.page.shared import blamed
from tests.page.storage import read, wait_until

TOKEN = "a-token-of-32-characters-at-least"


@pytest.fixture
def page(shared_page: Page) -> Page:
    return shared_page


def text(page: Page, name: str) -> str:
    """Return what is to be copied."""
    page.locator("#share").get_by_role("button", name=name, exact=True).click()
    settle(page)
    return page.locator("#share-text").inner_text()


@pytest.fixture
def other(browser: Browser, server: ServerProcess) -> Iterator[Watched]:
    """Another visitor's page."""
    with open_page(browser, server.http_address) as opened:
        ready(opened.page)
        yield opened


def test_a_link_holds_the_drawing(page: Page, other: Watched) -> None:
    draw(page)
    slide(page, "Rotate", 12)
    slide(page, "Noise", 0.1)
    slide(other.page, "Shift right", 5)
    link = text(page, "Link")
    assert "model=digits&version=1" in link
    # Also in a page that is open already, whose sliders would move it.
    other.page.goto(link)
    expect(other.page.locator("#link-word")).to_have_text("Opened from a link.")
    np.testing.assert_array_equal(pixels(other.page), pixels(page))
    other.page.reload()
    ready(other.page)
    expect(other.page.locator("#link-word")).to_have_text("Opened from a link.")
    np.testing.assert_array_equal(pixels(other.page), pixels(page))
    other.page.get_by_role("button", name="Undo").first.click()
    assert not pixels(other.page).any()


def test_a_link_of_a_plain_drawing_is_short(page: Page) -> None:
    draw(page)
    assert len(text(page, "Link")) < 500


def test_a_link_keeps_inverted_images_too(page: Page, other: Watched) -> None:
    draw(page)
    page.get_by_label("Invert").check()
    link = text(page, "Link")
    other.page.goto(link)
    expect(other.page.locator("#link-word")).to_be_visible()
    np.testing.assert_array_equal(pixels(other.page), pixels(page))


@pytest.mark.parametrize(
    ("fragment", "words"),
    [
        ("#answers", "holds no drawing that this page can read"),
        ("#model=digits&version=1&ink=%00", "is not for digits, version 1; it is ignored"),
        ("#model=digits&version=1&ink=AAAA", "is not for digits, version 1; it is ignored"),
        ("#model=digits&version=1&numbers=AAAAAA", "is not for digits, version 1; it is ignored"),
        ("#model=digits&version=x&ink=AP8", "holds no drawing that this page can read"),
        (
            f"#model=digits&version=1&ink={'A' * 100_000}",
            "holds no drawing that this page can read",
        ),
        (
            "#model=%3Cb%3E&version=3&ink=AP8A_wD_AA8",
            "It is for <b>, version 3, which is not served",
        ),
    ],
)
def test_foreign_fragments_are_ignored_with_a_word(
    kept_open: Watched, fragment: str, words: str
) -> None:
    page = kept_open.page
    # Away, since a page that is open would only be told of another fragment.
    page.goto("about:blank")
    with blamed(kept_open):
        page.goto(f"http://{kept_open.address}/{fragment}")
        ready(page)
        expect(page.locator("#link-word")).to_contain_text(words)
        if "served" not in words:
            assert not pixels(page).any()
        draw(page)
        assert pixels(page).any()


def test_numbers_are_kept_in_links_too(browser: Browser, odd: ServerProcess) -> None:
    address = odd.http_address
    with open_page(browser, address) as one:
        ready(one.page)
        slide(one.page, "Input 2, slider", 3.3)
        one.page.locator("#draw").get_by_label("Input 4", exact=True).fill("0.123456")
        numbers = read(one.page, "[...store.state.pixels]")
        link = text(one.page, "Link")
        command = text(one.page, "curl")
    assert '"pixels": [0, 3.3, 0, 0.123456]' in command
    answer = json.loads(shell(command))
    wanted = FLOWERS.forward(np.array([numbers], np.float32))[-1]
    np.testing.assert_allclose(answer["activations"], wanted, rtol=1e-4)
    with open_page(browser, address, link[link.index("/#") :]) as two:
        ready(two.page)
        expect(two.page.locator("#link-word")).to_have_text("Opened from a link.")
        assert read(two.page, "[...store.state.pixels]") == numbers


def shell(command: str, **variables: str) -> str:
    """Return what a command line prints; tools beside Python are found."""
    tools = str(Path(sys.executable).parent)
    environment = {"PATH": f"{tools}:/usr/local/bin:/usr/bin:/bin", **variables}
    ended = subprocess.run(
        command, shell=True, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def answer_of(page: Page) -> dict[str, Any]:
    settle(page)
    wait_until(page, "store.state.answer?.of === store.state.pixels")
    answer: dict[str, Any] = read(page, "store.state.answer")
    return answer


def check_lines(page: Page, **variables: str) -> None:
    """Run each text, and find in what it prints the answer that the page shows."""
    shown = answer_of(page)
    activations, index = shown["activations"][-1], shown["label"]
    curl = json.loads(shell(text(page, "curl"), **variables))
    assert (curl["labels"], curl["model"], curl["version"]) == ([index], "digits", 1)
    np.testing.assert_allclose(curl["activations"], [activations], rtol=1e-5, atol=1e-7)
    grpcurl = json.loads(shell(text(page, "grpcurl"), **variables))
    assert grpcurl["labels"] == [index]
    np.testing.assert_allclose(grpcurl["activations"], activations, rtol=1e-5, atol=1e-7)
    # NumPy prints eight digits of a number.
    program = text(page, "Python").replace("print(", "print(prediction.activations.tolist(), ")
    printed = shell(f'{sys.executable} -W error -c "$PROGRAM"', PROGRAM=program, **variables)
    found, _, rest = printed.partition("]]")
    np.testing.assert_allclose(json.loads(f"{found}]]"), [activations], rtol=1e-5, atol=1e-7)
    assert f"('{index}',)" in rest


def test_lines_ask_what_the_page_asks(page: Page) -> None:
    draw(page)
    slide(page, "Rotate", -8)
    slide(page, "Noise", 0.1)
    check_lines(page)


def test_lines_take_the_token_from_the_environment(
    browser: Browser, repository: Path, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens"
    tokens.touch(mode=0o600)
    tokens.write_text(f"me: {TOKEN}\n")
    with (
        start_server(repository, "--tokens-file", str(tokens)) as running,
        open_page(browser, running.http_address) as opened,
    ):
        page = opened.page
        page.evaluate(f"sessionStorage.setItem('token', '{TOKEN}')")
        page.reload()
        ready(page)
        # Before the page had it, the browser noted that the server refused.
        opened.errors.clear()
        draw(page)
        assert TOKEN not in text(page, "curl")
        check_lines(page, MLPSERVE_TOKEN=TOKEN)


def test_it_is_copied_or_else_selected(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    draw(page)
    shown = text(page, "grpcurl")
    page.get_by_role("button", name="Copy as grpcurl").click()
    expect(page.locator("#share-status")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == shown
    # As on another host without HTTPS, where there is no clipboard.
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    shown = text(page, "Link")
    page.evaluate("document.execCommand = () => false")
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("#share-status")).to_contain_text("press Ctrl+C")
    assert page.evaluate("String(getSelection())") == shown


def lines_of(page: Page, **changes: Any) -> dict[str, str]:
    """Return the lines for one pixel of a server described by the changes."""
    asked = {
        "origin": "https://here:8080", "hostname": "here", "grpcAddress": "127.0.0.1:50051",
        "isEncrypted": False, "hasToken": False, "model": "digits", "version": 2,
        "pixels": [0.5, 1], "shape": None, "inputRange": "[0, 1]",
    } | changes  # fmt: skip
    found: dict[str, str] = page.evaluate(
        """async (asked) => {
          const { linesOf } = await import("/static/js/share/snippets.js");
          return linesOf({ ...asked, pixels: Float32Array.from(asked.pixels) });
        }""",
        asked,
    )
    return found


def test_lines_find_the_server_from_elsewhere(page: Page) -> None:
    for listening, called in (
        ("0.0.0.0:50051", "here:50051"),
        ("[::]:7", "here:7"),
        ("10.1.2.3:50051", "10.1.2.3:50051"),
    ):
        lines = lines_of(page, grpcAddress=listening)
        assert f"  {called} mlpserve.v1.Classifier/Predict" in lines["grpcurl"]
        assert f'with Client("{called}") as client:' in lines["Python"]
    lines = lines_of(page, isEncrypted=True, hasToken=True)
    assert "-plaintext" not in lines["grpcurl"]
    assert "tls=Tls()" in lines["Python"]
    assert "plaintext_token" not in lines["Python"]


def test_names_are_quoted_for_the_shell(page: Page) -> None:
    name = 'it\'s $(touch /tmp/never) "x"'
    curl = lines_of(page, model=name)["curl"].split(" -H ")[0].removeprefix("curl ")
    echoed = shell(f"printf %s {curl}")
    assert echoed.endswith(
        "/v1/models/it's%20%24(touch%20%2Ftmp%2Fnever)%20%22x%22/versions/2/predict"
    )
    body = lines_of(page, model=name)["grpcurl"].split("  -d ")[1].split(" \\\n")[0]
    assert json.loads(shell(f"printf %s {body}"))["model"] == name


def test_the_address_is_told_by_the_list_of_models(page: Page, server: ServerProcess) -> None:
    models = read(page, "store.state.models")
    assert (models["grpc_address"], models["grpc_tls"]) == (server.grpc_address, False)
    with Client(models["grpc_address"]) as client:
        assert client.list_models()[0].name == models["default_model"]
