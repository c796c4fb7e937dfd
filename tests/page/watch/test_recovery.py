"""A server that falls silent, or begins anew: the page says so, goes on, and marks it."""

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.browser import Watched, open_page
from harness.calls import predict
from harness.scrape import by_worker
from harness.server_process import ServerProcess, start_server
from mlpserve.v1.classifier_pb2 import PredictRequest
from tests.conftest import connected
from tests.page.watch.reading import expect_calls, panel, table, tile
from tests.page.watch.sending import CANARY, VERSIONED, Sent

UNREACHABLE = ("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE", "503")


@pytest.fixture(scope="module")
def opened(browser: Browser, served: ServerProcess) -> Iterator[Watched]:
    """The page, by a clock of UTC."""
    path = "/watch#range=900"
    with open_page(browser, served.http_address, path, timezone_id="UTC") as page:
        expect(tile(page.page, "Workers missing")).to_contain_text("2 of 2 ready")
        yield page
        assert [
            error for error in page.errors if not any(one in error for one in UNREACHABLE)
        ] == []
        page.errors.clear()


@pytest.fixture(scope="module")
def page(opened: Watched) -> Page:
    return opened.page


@pytest.fixture(scope="module")
def sent() -> Sent:
    """What has been sent to the first server."""
    return Sent()


def expect_mark(page: Page, words: str) -> None:
    """Go through a chart with the arrow keys until it says these words."""
    plot = panel(page, "Duration").get_by_role("slider")
    plot.press("End")
    for _ in range(60):
        # It is said in the next frame.
        page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
        if words in (plot.get_attribute("aria-valuetext") or ""):
            return
        plot.press("ArrowLeft")
    raise AssertionError(f"no mark says {words!r}")


def test_a_version_that_answers_nothing_is_there_too(
    page: Page, served: ServerProcess, sent: Sent
) -> None:
    with connected(served) as channel, pytest.raises(grpc.RpcError):
        predict(channel, PredictRequest(model="digits", version=2, pixels_u8=bytes(3)))
    sent.methods["Predict"] += 1
    expect(panel(page, "Errors by version").get_by_role("listitem")).to_contain_text(CANARY)


def test_while_the_server_is_silent_one_question_waits(page: Page, served: ServerProcess) -> None:
    waiting: list[str] = []
    most = 0

    def begin(url: str) -> None:
        nonlocal most
        waiting.append(url)
        most = max(most, len(waiting))

    page.on("request", lambda request: begin(request.url))
    page.on("requestfinished", lambda _: waiting.clear())
    page.on("requestfailed", lambda _: waiting.clear())
    problem = page.locator("#problem")
    os.kill(served.process.pid, signal.SIGSTOP)
    try:
        expect(problem).to_contain_text("The server does not answer: it takes long. Trying again.")
        expect(problem).to_contain_text("it says 503, the parent process does not respond")
        expect(problem).to_contain_text("Last answer")
    finally:
        os.kill(served.process.pid, signal.SIGCONT)
    expect(problem).to_be_hidden()
    assert most == 1


def test_a_worker_that_is_replaced_is_marked(page: Page, served: ServerProcess) -> None:
    os.kill(served.workers[0], signal.SIGKILL)
    expect(table(page, "Workers")).to_contain_text("since the server's start: killed 1.")
    expect(tile(page, "Workers missing")).to_contain_text("2 of 2 ready")
    expect_mark(page, "Worker 0 replaced")


def test_a_server_that_lacks_metrics_does_not_tell(page: Page, served: ServerProcess) -> None:
    """As one of an earlier version."""

    def strip(route: Route) -> None:
        answer = route.fetch()
        kept = [line for line in answer.text().splitlines() if "mlpserve_prediction" not in line]
        route.fulfill(response=answer, body="\n".join(kept) + "\n")

    other = page.context.new_page()
    other.route("**/metrics", strip)
    other.goto(f"http://{served.http_address}/watch")
    for title in ("Predictions by version", "Duration by version (p99)"):
        expect(panel(other, title)).to_contain_text("This server does not report this.")
    expect(panel(other, "CPU by worker")).not_to_contain_text("does not report this")
    expect(table(other, "Versions loaded")).to_contain_text(CANARY)
    other.close()


def test_what_is_no_server_of_ours_is_said(page: Page, served: ServerProcess) -> None:
    other = page.context.new_page()
    other.route("**/metrics", lambda route: route.fulfill(body="up 1\n"))
    other.goto(f"http://{served.http_address}/watch")
    expect(other.locator("#problem")).to_contain_text("its /metrics is not that of mlpserve")
    expect(other.locator("#problem")).to_contain_text("No answer yet.")
    other.close()


def test_a_server_that_is_restarted(
    page: Page,
    served: ServerProcess,
    versions: Path,
    sent: Sent,
    digits: tuple[Batch, Labels],
) -> None:
    with connected(served) as channel:
        sent.send(channel, digits[0])
    expect_calls(page, sent)
    problem, notice = page.locator("#problem"), page.locator("#notice")
    served.terminate()
    expect(problem).to_contain_text("The server does not answer: it can't be reached.")
    expect_calls(page, sent)

    with start_server(versions, *VERSIONED, "--http-address", served.http_address) as again:
        expect(problem).to_be_hidden()
        start = by_worker(again, "process_start_time_seconds")["parent"]
        time = datetime.fromtimestamp(start, UTC).strftime("%H:%M:%S")
        expect(notice).to_contain_text(f"The server was restarted at {time}.")
        expect(tile(page, "Workers missing")).to_contain_text("1 of 1 ready")
        expect(table(page, "Calls by method")).to_contain_text(
            "No calls since the workers started."
        )
        expect(panel(page, "Errors by code")).to_contain_text("No call has ended with an error")
        anew = Sent()
        with connected(again) as channel:
            anew.send(channel, digits[0])
        expect_calls(page, anew)
        expect_mark(page, "Server restarted")
        notice.get_by_role("button", name="Close").click()
        expect(notice).to_be_hidden()
        page.close()
