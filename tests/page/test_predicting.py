"""Answers while one draws: one request in flight for each kind, then the newest image's."""

import json
import re
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, Request, Route, expect

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.browser import Watched
from harness.waiting import wait_for
from tests.page.storage import draw, read, settle, wait_until, write

PREDICT = "**/predict"
HIDE = """(isHidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def body(request: Request) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(request.post_data or "")
    return content


def is_plain(request: Request) -> bool:
    return request.url.endswith("/predict") and not body(request)["canonicalize"]


class Held:
    """The plain requests that have been sent and not been answered, and all that were sent."""

    def __init__(self, page: Page) -> None:
        self.page, self.routes, self.sent = page, list[Route](), list[dict[str, Any]]()
        page.route(PREDICT, self._hold)

    def _hold(self, route: Route) -> None:
        self.sent.append(body(route.request))
        if is_plain(route.request):
            self.routes.append(route)
        else:
            route.continue_()

    def wait_for(self, number: int) -> None:
        """Wait until that many have been sent and not been answered."""
        # Playwright calls handlers while it waits for the page.
        wait_for(lambda: self.page.evaluate("true") and len(self.routes) == number)


@pytest.fixture
def images(digits: tuple[Batch, Labels]) -> Batch:
    return digits[0][:8]


def test_one_request_is_in_flight_and_the_next_has_the_newest_image(
    page: Page, images: Batch
) -> None:
    settle(page)
    held = Held(page)
    with page.expect_request(is_plain):
        draw(page, images[0])
    for image in images[1:]:
        draw(page, image)
    held.wait_for(1)
    assert len(held.sent) == 1, "a second one while the first is in flight, or a canonical one"
    with page.expect_request(is_plain):
        held.routes.pop().continue_()
    held.wait_for(1)
    np.testing.assert_array_equal(np.float32(held.sent[-1]["pixels"]), images[-1])
    held.routes.pop().continue_()
    settle(page)
    plain = [sent for sent in held.sent if not sent["canonicalize"]]
    assert len(plain) == 2
    np.testing.assert_array_equal(np.float32(read(page, "[...store.state.answer.of]")), images[-1])


def test_an_answer_is_shown_within_a_frame(page: Page, images: Batch) -> None:
    settle(page)
    page.evaluate(
        """async () => {
          const { store } = await import("/static/js/store.js");
          window.shown = [];
          store.watch(["answer"], () => requestAnimationFrame(() => {
            const { label, labelNames } = store.state.answer;
            window.shown.push([labelNames[label], document.querySelector(".label").textContent]);
          }));
        }"""
    )
    for image in images:
        draw(page, image)
        settle(page)
    page.wait_for_function("(number) => window.shown.length > number", arg=len(images))
    shown = page.evaluate("window.shown")
    assert len({label for label, _ in shown}) > 2
    assert all(label == text for label, text in shown)


def test_the_servers_own_time_stands_beside_the_answer(page: Page, images: Batch) -> None:
    settle(page)
    with page.expect_response(lambda response: is_plain(response.request)) as response:
        draw(page, images[0])
    timing = response.value.header_value("server-timing") or ""
    total = re.search(r"total;dur=([\d.]+)", timing)
    assert total is not None
    card = page.get_by_role("article", name="As drawn")
    expect(card).to_contain_text(f"Server {float(total[1]):.1f} ms, round trip")


def test_answers_of_a_version_that_is_no_longer_asked_are_dropped(
    page: Page, images: Batch
) -> None:
    settle(page)
    held = Held(page)
    with page.expect_request(is_plain):
        draw(page, images[0])
    held.wait_for(1)
    # The server has no such version: it is the page that is asked to turn to it.
    with page.expect_event("requestfailed", is_plain):
        write(page, "{ version: 2 }")
    assert read(page, "store.state.answer?.of === store.state.pixels") is False


def test_too_many_calls_are_waited_for_as_the_server_says(opened: Watched, images: Batch) -> None:
    page = opened.page
    settle(page)
    page.clock.install()
    refused = {"error": "the queue is full", "code": "RESOURCE_EXHAUSTED"}
    page.route(
        PREDICT,
        lambda route: route.fulfill(status=429, headers={"retry-after": "7"}, json=refused),
        times=1,
    )
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request))
    draw(page, images[0])
    expect(page.locator("#problem")).to_contain_text("the queue is full")
    expect(page.locator("#problem")).to_contain_text("7 s")
    draw(page, images[1])
    page.clock.pause_at(read(page, "Date.now()") / 1000 + 5)
    assert len([request for request in sent if request.url.endswith("/predict")]) == 1
    page.clock.run_for(3000)
    settle(page)
    expect(page.locator("#problem")).to_be_empty()
    assert "429" in opened.errors.pop()


def test_what_the_server_refuses_is_said_in_words(opened: Watched, images: Batch) -> None:
    page = opened.page
    settle(page)
    image = images[0].copy()
    image[5] = 2
    draw(page, image)
    expect(page.locator("#problem")).to_contain_text("2")
    draw(page, images[0])
    settle(page)
    expect(page.locator("#problem")).to_be_empty()
    assert "400" in opened.errors.pop()


def test_what_is_refused_of_one_answer_is_said_beside_the_other(
    opened: Watched, images: Batch
) -> None:
    page = opened.page
    settle(page)

    def refuse(route: Route) -> None:
        if is_plain(route.request):
            route.continue_()
        else:
            route.fulfill(status=400, json={"error": "no ink for this test"})

    page.route(PREDICT, refuse)
    for image in images[:2]:
        with page.expect_response(lambda response: response.status == 400):
            draw(page, image)
        wait_until(page, "store.state.answer.of === store.state.pixels")
        expect(page.locator("#problem")).to_contain_text("no ink for this test")
    page.unroute(PREDICT)
    draw(page, images[2])
    settle(page)
    expect(page.locator("#problem")).to_be_empty()
    assert all("400" in error for error in opened.errors)
    opened.errors.clear()


def test_nothing_is_asked_while_nobody_sees_the_page(page: Page, images: Batch) -> None:
    settle(page)
    page.clock.install()
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request))
    page.evaluate(HIDE, True)
    for image in images:
        draw(page, image)
    page.clock.run_for(60_000)
    assert not sent
    page.evaluate(HIDE, False)
    settle(page)
    assert any("/v1/models" in request.url for request in sent)


def test_answers_are_told_once_they_rest(page: Page, images: Batch) -> None:
    settle(page)
    expect(page.locator("#spoken")).to_contain_text("Canonicalised")
    page.clock.install()
    page.clock.pause_at(read(page, "Date.now()") / 1000 + 10)
    page.evaluate(
        """() => {
          window.told = [];
          const region = document.querySelector("#spoken");
          new MutationObserver(() => window.told.push(region.textContent))
            .observe(region, { childList: true, characterData: true, subtree: true });
        }"""
    )
    for image in images:
        draw(page, image)
        settle(page)
    assert page.evaluate("window.told") == []
    page.clock.run_for(1000)
    page.wait_for_function("window.told.length > 0")
    (told,) = page.evaluate("window.told")
    label = read(page, "store.state.answer.labelNames[store.state.answer.label]")
    assert told.startswith(f"As drawn: {label} at ")
    assert "Canonicalised: " in told
