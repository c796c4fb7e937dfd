"""One page for many tests, put back between them: to open one takes longer than most tests do."""

from collections.abc import Iterator
from contextlib import contextmanager

from harness.browser import Watched
from tests.page.storage import settle, wait_until

PUT_BACK = """async () => {
  const { store } = await import("/static/js/store.js");
  const { network } = store.state;
  const { dataset } = document.documentElement;
  localStorage.clear();
  for (const key of ["palette", "theme"]) delete dataset[key];
  history.replaceState(null, "", location.pathname);
  scrollTo(0, 0);
  document.activeElement.blur();
  const shown = () =>
    new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  // For a network of another shape and other labels all is made anew that strokes, knobs and
  // choices have changed, and nothing can be undone.
  const other = network.clone();
  other.imageLayout = { ...network.imageLayout, rows: 1, columns: network.inputs };
  other.labelNames = network.labelNames.map((name) => `no ${name}`);
  const looks = { view: "picture", palette: "safe", theme: "auto", notice: "" };
  store.set({ network: other, altered: null, selection: null, comparison: null, ...looks });
  await shown();
  store.set({ network });
  for (const input of document.querySelectorAll("#brush, #knobs-seed")) {
    input.value = input.defaultValue;
    input.dispatchEvent(new Event("input"));
  }
  document.querySelector("#eraser").ariaPressed = "false";
  document.querySelector("#pad-status").textContent = "";
  document.querySelector("#draw .segments button").click();
  document.querySelector("#show-all").click();
  document.activeElement.blur();
  await shown();
}"""


@contextmanager
def put_back(opened: Watched) -> Iterator[Watched]:
    """Have a page of digits that is open already as it opens, for one test."""
    page = opened.page
    page.mouse.move(0, 0)
    wait_until(page, "store.state.network !== null")
    page.evaluate(PUT_BACK)
    settle(page)
    with blamed(opened):
        yield opened


@contextmanager
def blamed(opened: Watched) -> Iterator[None]:
    """Fail for errors and requests elsewhere until now, which then are no other test's."""
    yield
    errors, elsewhere = list(opened.errors), list(opened.elsewhere)
    opened.errors.clear()
    opened.elsewhere.clear()
    assert not errors
    assert not elsewhere
