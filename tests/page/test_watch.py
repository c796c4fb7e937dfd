"""The picture of the network: what is lit, which lines lead there, and the steps through it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.browser import Watched, open_page
from harness.server_process import ServerProcess
from mlpserve import Client
from tests.page.other_networks import turned_to
from tests.page.storage import draw, read, settle, wait_until

NEXT_FRAME = "() => new Promise((done) => requestAnimationFrame(() => done()))"


@pytest.fixture(scope="module")
def phone(browser: Browser, others: ServerProcess) -> Iterator[Watched]:
    options: dict[str, Any] = {"has_touch": True, "is_mobile": True}
    size: ViewportSize = {"width": 360, "height": 740}
    with open_page(browser, others.http_address, viewport=size, **options) as opened:
        yield opened


@pytest.fixture
def page(shared_page: Page) -> Page:
    return shared_page


@pytest.fixture
def seven(page: Page, digits: tuple[Batch, Labels]) -> Batch:
    """A seven (1, 784), which the page shows."""
    image = digits[0][:1]
    settle(page)
    draw(page, image[0])
    settle(page)
    page.evaluate(NEXT_FRAME)
    return image


def circles(page: Page, layer: int) -> Locator:
    """The circles of a layer, 0 for the input."""
    return page.locator(".stage > [role=group]").nth(layer).locator(".neuron")


def values(page: Page, layer: int) -> list[float]:
    texts = circles(page, layer).locator(".value").all_inner_texts()
    return [float(text.replace("\u2212", "-")) for text in texts]


def levels(page: Page, layer: int) -> list[float]:
    script = "(all) => all.map((circle) => Number(circle.style.getPropertyValue('--level')))"
    found: list[float] = circles(page, layer).evaluate_all(script)
    return found


@pytest.mark.usefixtures("seven")
def test_circles_hold_what_the_server_answers(
    page: Page, server: ServerProcess, digits: tuple[Batch, Labels]
) -> None:
    with Client(server.grpc_address) as client:
        answer = client.predict(digits[0][:1], hidden_activations=True)
    for layer, expected in enumerate([*answer.hidden_layers, answer.activations], start=1):
        assert values(page, layer) == pytest.approx(expected[0], abs=0.00501)
        assert levels(page, layer) == pytest.approx(expected[0], abs=0.00051)
    outputs = circles(page, 3)
    assert outputs.locator(".label").all_inner_texts() == list("0123456789")
    expect(page.locator(".neuron.best")).to_have_accessible_name("output 7: 1.00, the brightest")


def test_pixels_are_as_bright_as_drawn(page: Page, seven: Batch) -> None:
    brightness = np.array(
        page.locator(".stage > .cells").evaluate(
            """(canvas) => {
                const { width, height } = canvas;
                const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
                const middle = (k) => Math.floor((k + 0.5) * (width / 28));
                const at = (k) => middle(Math.floor(k / 28)) * width + middle(k % 28);
                return Array.from({ length: 784 }, (_, k) => data[4 * at(k)]);
            }"""
        )
    )
    dark, bright = brightness[seven[0] == 0].max(), brightness[seven[0] == 1].min()
    assert dark < 40 < 200 < bright
    lit = seven[0] > 0
    assert np.corrcoef(brightness[lit], seven[0][lit])[0, 1] > 0.999


@pytest.mark.usefixtures("seven")
def test_an_answer_is_shown_at_the_next_frame(page: Page) -> None:
    shown = page.evaluate(
        """async () => {
            const { store } = await import("/static/js/store.js");
            const first = document.querySelector(".stage > [role=group]:nth-of-type(2) .value");
            const frames = [];
            for (let k = 0; k < 20; k += 1) {
                const answer = structuredClone(store.state.answer);
                answer.activations[0][0] = k / 100;
                store.set({ answer });
                await new Promise((done) => requestAnimationFrame(done));
                frames.push(Number(first.textContent));
            }
            return frames;
        }"""
    )
    assert shown == [k / 100 for k in range(20)]


@pytest.mark.parametrize("palette", ["safe", "film"])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.usefixtures("seven")
def test_a_line_tells_the_sign_and_the_size(page: Page, palette: str, sign: int) -> None:
    page.evaluate(
        """async ([sign, palette]) => {
            const { store } = await import("/static/js/store.js");
            document.documentElement.dataset.palette = palette;
            const altered = store.state.network.clone();
            for (const layer of altered.layers) layer.weights.fill(0);
            // One strong line, and one that is a quarter as strong.
            altered.layers[1].weights[0] = sign;
            altered.layers[1].weights[15 * 16 + 15] = sign / 4;
            altered.layers[0].biases.fill(50);
            store.set({ altered, palette });
        }""",
        [sign, palette],
    )
    page.evaluate(NEXT_FRAME)
    strong, weak = sample_lines(page, ((1, 0), (2, 0)), ((1, 15), (2, 15)))
    assert strong[:, 3].max() > 3 * weak[:, 3].max() > 0
    colour = strong[strong[:, 3].argmax()][:3]
    name = "positive" if sign > 0 else "negative"
    expected = page.evaluate(
        f"async () => (await import('/static/js/watch/colours.js')).colours().{name}"
    )
    assert [*colour] == pytest.approx([int(part) for part in expected[4:-1].split(",")], abs=3)
    # Dashed, where it takes away.
    gaps = (strong[:, 3] == 0).mean()
    assert gaps == 0 if sign > 0 else 0.2 < gaps < 0.6


def sample_lines(page: Page, *lines: tuple[tuple[int, int], tuple[int, int]]) -> list[Batch]:
    """Colours (N, 4) of the lines' canvas between two circles each, which are (layer, neuron)."""
    places = []
    for line in lines:
        boxes = [circles(page, layer).nth(neuron).bounding_box() for layer, neuron in line]
        places.append(
            [[box["x"] + box["width"] / 2, box["y"] + box["height"] / 2] for box in boxes if box]
        )
    # Read at once: a second time, the browser would warn that this is slow.
    found = page.locator(".stage > .lines").evaluate(
        """(canvas, places) => {
            const { left, top, width } = canvas.getBoundingClientRect();
            const scale = canvas.width / width;
            const context = canvas.getContext("2d");
            const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
            return places.map(([from, to]) =>
                Array.from({ length: 200 }, (_, k) => {
                    const share = 0.3 + 0.4 * (k / 199);
                    const x = Math.floor((from[0] + (to[0] - from[0]) * share - left) * scale);
                    const y = Math.floor((from[1] + (to[1] - from[1]) * share - top) * scale);
                    const start = 4 * (y * canvas.width + x);
                    return [...data.slice(start, start + 4)];
                }),
            );
        }""",
        places,
    )
    return [np.array(line, np.float32) for line in found]


def test_the_strongest_products_become_lines(
    page: Page, seven: Batch, server: ServerProcess
) -> None:
    with Client(server.grpc_address) as client:
        weights = client.get_network().layers[0].weights
    found = page.evaluate(
        """async () => {
            const { store } = await import("/static/js/store.js");
            const { strongest } = await import("/static/js/watch/contributions.js");
            const to = Array.from({ length: 16 }, (_, k) => k);
            const [layer] = store.state.network.layers;
            return strongest(layer, store.state.pixels, { to, limit: 300 });
        }"""
    )
    products = weights * seven[0]
    assert [line["value"] for line in found] == pytest.approx(
        [products[line["to"], line["from"]] for line in found]
    )
    assert 200 < len(found) <= 300
    sizes = np.sort(np.abs(products), axis=None)[::-1]
    assert min(abs(line["value"]) for line in found) == pytest.approx(sizes[len(found) - 1])


@pytest.mark.usefixtures("seven")
def test_steps_light_one_layer_after_the_other(page: Page) -> None:
    section = page.locator("#watch")
    step = section.get_by_role("button", name="Step")
    sentences = ["784 pixels", "16 neurons", "16 neurons", "The brightest is the answer: 7."]
    for stage, sentence in enumerate(sentences):
        step.click()
        expect(section.get_by_text(f"{stage + 1} of 4")).to_contain_text(sentence)
        lit = [any(levels(page, layer)) for layer in (1, 2, 3)]
        assert lit == [layer <= stage for layer in (1, 2, 3)]
    step.click()
    expect(section.get_by_text("1 of 4")).to_be_visible()
    section.get_by_role("button", name="Show all").click()
    expect(section.get_by_text("Live")).to_be_visible()
    assert all(any(levels(page, layer)) for layer in (1, 2, 3))


SENTENCES = """async () => {
    const sentence = document.querySelector("#step-words");
    const found = [];
    const observer = new MutationObserver(() => found.push(sentence.textContent));
    observer.observe(sentence, { childList: true });
    document.querySelector("#play").click();
    while (!found.at(-1)?.startsWith("Live")) await new Promise(requestAnimationFrame);
    return found;
}"""


@pytest.mark.usefixtures("seven")
def test_it_plays_layer_by_layer_and_is_live_again(page: Page) -> None:
    sentences = page.evaluate(SENTENCES)
    assert [text[:6] for text in sentences] == ["1 of 4", "2 of 4", "3 of 4", "4 of 4", "Live: "]


@pytest.mark.usefixtures("seven")
def test_it_pauses_where_it_is(page: Page) -> None:
    page.evaluate(
        """async () => {
            const play = document.querySelector("#play");
            play.click();
            await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
            play.click();
        }"""
    )
    expect(page.locator("#watch").get_by_role("button", name="Play")).to_be_visible()
    expect(page.locator("#watch").get_by_text("1 of 4")).to_be_visible()
    page.locator("#watch").get_by_role("button", name="Step").click()
    expect(page.locator("#watch").get_by_text("2 of 4")).to_be_visible()


def test_without_motion_it_only_steps(browser: Browser, server: ServerProcess) -> None:
    with open_page(browser, server.http_address, reduced_motion="reduce") as watched:
        section = watched.page.locator("#watch")
        wait_until(watched.page, "store.state.answer !== null")
        expect(section.get_by_role("button", name="Step")).to_be_visible()
        expect(section.get_by_role("button", name="Play")).to_be_hidden()
        section.get_by_role("button", name="Step").click()
        expect(section.get_by_text("1 of 4")).to_be_visible()


@pytest.mark.usefixtures("seven")
def test_a_neuron_is_chosen_by_mouse_and_by_keys(page: Page) -> None:
    circles(page, 1).nth(4).click()
    assert read(page, "store.state.selection") == {"layer": 0, "neuron": 4}
    expect(page.locator(".neuron[aria-pressed=true]")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(circles(page, 2).nth(5)).to_be_focused()
    expect(page.locator("#readout")).to_contain_text("Hidden layer 2, neuron 6")
    page.keyboard.press("Enter")
    assert read(page, "store.state.selection") == {"layer": 1, "neuron": 5}
    page.keyboard.press("Enter")
    assert read(page, "store.state.selection") is None
    # One stop for the tab key, on the way from the buttons to what follows.
    assert page.locator(".stage button[tabindex='0']").count() == 1


@pytest.mark.usefixtures("seven")
def test_the_readout_says_what_is_pointed_at(
    page: Page, server: ServerProcess, seven: Batch
) -> None:
    with Client(server.grpc_address) as client:
        layer = client.get_network().layers[0]
    z = float(layer.weights[2] @ seven[0] + layer.biases[2])
    circles(page, 1).nth(2).hover()
    sign = "+" if z > 0 else "\u2212"
    text = f"Hidden layer 1, neuron 3: sigmoid({sign}{abs(z):.3f}) = {1 / (1 + np.exp(-z)):.4f}"
    expect(page.locator("#readout")).to_have_text(text)


@pytest.mark.usefixtures("seven")
def test_tables_hold_the_same(page: Page, server: ServerProcess, seven: Batch) -> None:
    button = page.locator("#watch").get_by_role("button", name="Tables")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".stage")).to_be_hidden()
    with Client(server.grpc_address) as client:
        layers = client.get_network().layers
    before = seven[0]
    names = ["Hidden layer 1: 16", "Hidden layer 2: 16", "Output layer: 10"]
    for name, layer in zip(names, layers, strict=True):
        table = page.get_by_role("table", name=f"{name} neurons, sigmoid")
        expect(table.get_by_role("columnheader")).to_have_text(["Neuron", "Sum", "Activation"])
        rows = [row.split("\t") for row in table.locator("tbody").inner_text().splitlines()]
        sums = layer.weights @ before + layer.biases
        before = 1 / (1 + np.exp(-sums))
        texts = [[text.replace("\u2212", "-").split()[-1] for text in row[1:]] for row in rows]
        assert np.array(texts, np.float32) == pytest.approx(np.stack([sums, before], 1), abs=2e-4)
    expect(page.get_by_role("row", name="output 7")).to_contain_text("brightest")
    pixels = page.get_by_role("table", name="Input: 784 pixels, 28 rows of 28")
    rows = [row.split("\t")[1:] for row in pixels.locator("tbody").inner_text().splitlines()]
    assert np.array(rows, np.float32).ravel() == pytest.approx(seven[0], abs=0.00501)
    page.get_by_role("button", name="neuron 3").first.click()
    assert read(page, "store.state.selection") == {"layer": 0, "neuron": 2}
    button.click()
    expect(page.locator(".stage")).to_be_visible()


@pytest.mark.parametrize("name", ["iris", "flat", "signed", "many", "large"])
def test_other_networks(other_page: Watched, name: str) -> None:
    with turned_to(other_page, name) as (
        page,
        network,
        image,
    ):
        activations = network.forward(image)
        last = len(network.layers)
        expect(page.locator(".stage > .caption").nth(last)).to_be_visible()
        expected = np.sort(activations[-1][0])[::-1][:10] if name == "many" else activations[-1][0]
        assert values(page, last) == pytest.approx(expected, rel=0.01, abs=0.00501)
        best = network.labels[int(activations[-1].argmax())]
        expect(page.locator(".neuron.best .label")).to_have_text(best)
        caption = page.locator(".stage > .caption").nth(last)
        if name == "many":
            expect(caption).to_contain_text("10 brightest of 1,000")
        if name == "large":
            expect(page.locator("#readout")).to_contain_text("Without lines")
        if name in ("iris", "signed"):
            largest = np.abs(activations[-1]).max()
            expect(caption).to_contain_text(f"white is {largest:.2g}")
            assert levels(page, last) == pytest.approx(
                np.abs(activations[-1][0]) / largest, abs=0.01
            )
            negative = circles(page, last).evaluate_all(
                "(all) => all.map((it) => it.matches('.negative'))"
            )
            assert negative == (activations[-1][0] < 0).tolist()


@pytest.mark.parametrize("name", ["iris", "many", "signed"])
def test_it_fits_a_phone(phone: Watched, name: str) -> None:
    with turned_to(phone, name) as (page, _, _):
        stage = page.locator(".stage").bounding_box()
        assert stage
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        for circle in page.locator(".neuron").all():
            box = circle.bounding_box()
            assert box
            assert min(box["width"], box["height"]) >= 24
            assert 0 <= box["x"] - stage["x"] <= stage["width"] - box["width"]
            assert 0 <= box["y"] - stage["y"] <= stage["height"] - box["height"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_dark_in_every_theme(browser: Browser, server: ServerProcess, scheme: str) -> None:
    with open_page(browser, server.http_address, color_scheme=scheme) as watched:
        wait_until(watched.page, "store.state.answer !== null")
        colour = watched.page.locator(".stage").evaluate(
            "(it) => getComputedStyle(it).backgroundColor"
        )
        assert max(int(part) for part in colour[4:-1].split(",")) < 40
