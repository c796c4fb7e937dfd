"""Inside a neuron: its weights, its sum written out, and why one output and not another."""

import re
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Locator, Page, expect

from exporter.network.network import Batch, Layer
from exporter.training.mnist import Labels
from harness.browser import Watched
from harness.server_process import ServerProcess
from mlpserve import Client
from mlpserve.models import Network
from modelfile.activations import ACTIVATIONS
from tests.page.other_networks import NETWORKS, turned_to
from tests.page.storage import draw, read, settle, write

Numbers = npt.NDArray[np.float64]
MINUS, TIMES = "\u2212", "\u00d7"
NEXT_FRAME = "() => new Promise((done) => requestAnimationFrame(() => done()))"


@pytest.fixture(scope="module")
def served(server: ServerProcess) -> Network:
    """The network as the server tells it."""
    with Client(server.grpc_address) as client:
        return client.get_network()


@pytest.fixture
def page(shared_page: Page) -> Page:
    return shared_page


@pytest.fixture
def seven(page: Page, digits: tuple[Batch, Labels]) -> Batch:
    """The pixels (784,) of a seven, which the page shows."""
    image: Batch = digits[0][0]
    settle(page)
    draw(page, image)
    settle(page)
    page.evaluate(NEXT_FRAME)
    return image


def part(page: Page, name: str) -> Locator:
    return page.locator(f"#{name}")


def choose(page: Page, layer: int, neuron: int) -> None:
    write(page, f"{{ selection: {{ layer: {layer}, neuron: {neuron} }} }}")
    page.evaluate(NEXT_FRAME)


def numbers(text: str) -> list[Decimal]:
    """The numbers of a text, as they stand there."""
    text = text.replace(MINUS, "-").replace("- ", "-")
    return [Decimal(found) for found in re.findall(r"[+-]?\d+(?:\.\d+)?", text)]


def rows(table: Locator, group: str) -> list[list[str]]:
    """The cells of a table's body or foot."""
    texts = table.locator(f"{group} tr").evaluate_all(
        "(all) => all.map((row) => [...row.cells].map((cell) => cell.textContent))"
    )
    return [[cell.replace(MINUS, "-") for cell in row] for row in texts]


def layers_of(network: Network, image: Batch) -> list[tuple[Numbers, Numbers, Numbers]]:
    """What is before each layer, its sums and its activations, by NumPy."""
    found = []
    before: Numbers = image.astype(np.float64)
    for layer in network.layers:
        z = layer.weights.astype(np.float64) @ before + layer.biases
        after = ACTIVATIONS[layer.activation](z[None].astype(np.float32))[0].astype(np.float64)
        found.append((before, z, after))
        before = after
    return found


READ_WEIGHTS = """(canvas) => {
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    const cell = width / 28;
    const at = (k, x, y) => {
        const row = Math.floor(k / 28) * cell + Math.floor(y * cell);
        const start = 4 * (row * width + (k % 28) * cell + Math.floor(x * cell));
        return [...data.slice(start, start + 3)];
    };
    return Array.from({ length: 784 }, (_, k) => [at(k, 0.1, 0.1), at(k, 0.5, 0.5)]);
}"""


@pytest.mark.parametrize(("palette", "neuron"), [("safe", 0), ("safe", 9), ("film", 4)])
@pytest.mark.usefixtures("seven")
def test_weights_are_drawn_as_the_server_has_them(
    page: Page, served: Network, palette: str, neuron: int
) -> None:
    page.evaluate("(palette) => { document.documentElement.dataset.palette = palette; }", palette)
    write(page, f"{{ palette: '{palette}' }}")
    colours = page.evaluate("async () => (await import('/static/js/watch/colours.js')).colours()")
    base, text, positive, negative = (
        np.array(colours[name][4:-1].split(","), np.float64)
        for name in ("background", "text", "positive", "negative")
    )
    choose(page, 0, neuron)
    canvas = page.locator("[data-figure=weights] > div > canvas")
    drawn = np.array(canvas.evaluate(READ_WEIGHTS), np.float64)
    corners, middles = drawn[:, 0], drawn[:, 1]
    weights = served.layers[0].weights[neuron].astype(np.float64)
    scale = np.abs(weights).max()
    # Above what is seen of an empty cell, brightness grows with the size.
    empty = base + 0.05 * (text - base)
    size = (np.abs(weights) / scale) ** 0.7
    ink = np.where(weights[:, None] > 0, positive, negative)
    assert np.abs(corners - (empty + size[:, None] * (ink - empty))).max() <= 2
    # The sign by a stripe, too.
    assert np.abs(middles[weights < 0] - base).max() <= 1
    strong = weights > 0.1 * scale
    assert np.abs(middles[strong] - corners[strong]).max() <= 1


def test_each_weight_and_product_is_told(page: Page, served: Network, seven: Batch) -> None:
    choose(page, 0, 9)
    canvas = page.locator("[data-figure=products] > div > canvas")
    box = canvas.bounding_box()
    assert box
    canvas.hover(position={"x": box["width"] * 15.5 / 28, "y": box["height"] * 14.5 / 28})
    weight, pixel = served.layers[0].weights[9, 14 * 28 + 15], seven[14 * 28 + 15]
    expect(part(page, "cell-words")).to_contain_text("row 15, column 16")
    told = [float(number) for number in numbers(part(page, "cell-words").inner_text())[-3:]]
    assert told == pytest.approx([weight, pixel, weight * pixel], abs=6e-5)
    canvas.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    expect(part(page, "cell-words")).to_contain_text("row 14, column 17")


@pytest.mark.parametrize(("layer", "neuron"), [(0, 0), (0, 9), (1, 5), (2, 7)])
def test_a_sum_is_written_out(
    page: Page, served: Network, seven: Batch, layer: int, neuron: int
) -> None:
    choose(page, layer, neuron)
    before, z, after = layers_of(served, seven)[layer]
    w, b = served.layers[layer].weights[neuron].astype(np.float64), served.layers[layer].biases
    weighted, bias, total = numbers(part(page, "sum-words").inner_text())
    assert weighted + bias == total
    assert [float(weighted), float(bias), float(total)] == pytest.approx(
        [w @ before, b[neuron], z[neuron]], abs=1.5e-4
    )
    squished = numbers(part(page, "squish-words").inner_text())
    assert squished[0] == total
    assert float(squished[-1]) == pytest.approx(after[neuron], abs=6e-5)
    expect(part(page, "squish-words")).to_contain_text("1 / (1 + e^(")
    expect(part(page, "served-words")).to_have_text(f"The server answered {squished[-1]}.")

    body, foot = rows(part(page, "terms"), "tbody"), rows(part(page, "terms"), "tfoot")
    products = w * before
    largest = np.argsort(-np.abs(products), kind="stable")[:10]
    assert [float(row[1]) for row in body] == pytest.approx(w[largest], abs=6e-5)
    assert [float(row[2]) for row in body] == pytest.approx(before[largest], abs=6e-5)
    assert [float(row[3]) for row in body] == pytest.approx(products[largest], abs=1.1e-4)
    name = f"row {largest[0] // 28 + 1}, column {largest[0] % 28 + 1}"
    assert body[0][0] == (f"neuron {largest[0] + 1}" if layer else name)
    parts = [Decimal(row[-1]) for row in [*body, *foot[:-1]]]
    assert sum(parts) == Decimal(foot[-1][-1]) == total


def test_tables_hold_all_terms(page: Page, served: Network, seven: Batch) -> None:
    choose(page, 0, 3)
    page.locator("#inspect").get_by_role("button", name="Tables").click()
    expect(part(page, "figures")).to_be_hidden()
    table = page.get_by_role("table", name="All 784 terms")
    expect(table.get_by_role("columnheader")).to_have_text(
        ["From", "Weight", "Activation", f"Weight {TIMES} activation"]
    )
    body, foot = rows(table, "tbody"), rows(table, "tfoot")
    weights = served.layers[0].weights[3]
    found = np.zeros(784)
    for name, weight, *_ in body:
        row, column = (int(word.strip(",")) for word in name.split()[1::2])
        found[(row - 1) * 28 + column - 1] = float(weight)
    assert found == pytest.approx(weights, abs=6e-5)
    assert sum(Decimal(row[-1]) for row in [*body, foot[0]]) == Decimal(foot[-1][-1])
    assert float(foot[-1][-1]) == pytest.approx(layers_of(served, seven)[0][1][3], abs=1e-4)


def test_why_one_output_and_not_another(page: Page, served: Network, seven: Batch) -> None:
    before, z, _ = layers_of(served, seven)[-1]
    weights, biases = served.layers[-1].weights.astype(np.float64), served.layers[-1].biases
    table = part(page, "why-terms")
    # What is read, and what is next to it, unless one chooses others.
    runner_up = int(np.argsort(z)[-2])
    for winner, loser in ((7, runner_up), (7, 9), (0, 9)):
        if (winner, loser) != (7, runner_up):
            part(page, "why-winner").select_option(str(winner))
            part(page, "why-loser").select_option(str(loser))
        expect(part(page, "question")).to_have_text(f"Why {winner} and not {loser}?")
        body, foot = rows(table, "tbody"), rows(table, "tfoot")
        differences = (weights[winner] - weights[loser]) * before
        order = np.argsort(-differences, kind="stable")
        assert [row[0] for row in body] == [f"neuron {k + 1}" for k in order]
        assert [float(row[-1]) for row in body] == pytest.approx(differences[order], abs=1.1e-3)
        bias, total = foot[-2], Decimal(foot[-1][-1])
        assert float(bias[-1]) == pytest.approx(float(biases[winner] - biases[loser]), abs=1.1e-3)
        assert sum(Decimal(row[-1]) for row in [*body, *foot[:-1]]) == total
        assert float(total) == pytest.approx(z[winner] - z[loser], abs=1e-3)
        assert numbers(part(page, "verdict").inner_text().rstrip("."))[-1] == abs(total)
    table.get_by_role("button", name="neuron 4", exact=True).click()
    assert read(page, "store.state.selection") == {"layer": 1, "neuron": 3}
    expect(part(page, "inside-layer").locator("option:checked")).to_have_text("Hidden layer 2")
    expect(part(page, "inside-neuron").locator("option:checked")).to_have_text("neuron 4")


@pytest.mark.usefixtures("seven")
def test_a_neuron_is_chosen_here_or_in_the_picture(page: Page) -> None:
    page.locator(".stage").get_by_role("button", name="neuron 5:").first.click()
    expect(part(page, "inside-neuron").locator("option:checked")).to_have_text("neuron 5")
    part(page, "inside-layer").select_option("Output layer")
    part(page, "inside-neuron").select_option("output 3")
    assert read(page, "store.state.selection") == {"layer": 2, "neuron": 3}
    # Of the neurons before it: a row of them.
    width, height = page.locator("[data-figure=weights] > div > canvas").evaluate(
        "(canvas) => [canvas.width, canvas.height]"
    )
    assert width == 16 * height


def test_turned_knobs_are_looked_into(page: Page, served: Network, seven: Batch) -> None:
    page.evaluate(
        """async () => {
            const { store } = await import("/static/js/store.js");
            const altered = store.state.network.clone();
            altered.layers[0].biases[2] = 1.5;
            store.set({ altered, selection: { layer: 0, neuron: 2 } });
        }"""
    )
    expect(part(page, "served-words")).to_be_empty()
    weighted, bias, total = numbers(part(page, "sum-words").inner_text())
    assert bias == Decimal("1.5")
    assert float(weighted) == pytest.approx(served.layers[0].weights[2] @ seven, abs=1e-3)
    assert float(total) == pytest.approx(served.layers[0].weights[2] @ seven + 1.5, abs=1e-3)


@pytest.mark.parametrize("name", ["iris", "flat", "signed", "many"])
def test_other_networks(other_page: Watched, name: str) -> None:
    with turned_to(other_page, name) as (page, network, image):
        before = image
        for index, layer in enumerate(network.layers):
            sums = (before @ layer.weights.T + layer.biases)[0]
            neuron = len(sums) - 1
            choose(page, index, neuron)
            check_squish(page, layer, sums, neuron)
            body, foot = rows(part(page, "terms"), "tbody"), rows(part(page, "terms"), "tfoot")
            total = sum(Decimal(row[-1]) for row in [*body, *foot[:-1]])
            assert total == Decimal(foot[-1][-1])
            assert float(total) == pytest.approx(float(sums[neuron]), abs=1e-3)
            before = layer.forward(before)
        body, foot = (
            rows(part(page, "why-terms"), "tbody"),
            rows(part(page, "why-terms"), "tfoot"),
        )
        assert sum(Decimal(row[-1]) for row in [*body, *foot[:-1]]) == Decimal(foot[-1][-1])
        first, second = np.sort(sums)[::-1][:2]
        assert float(foot[-1][-1]) == pytest.approx(float(first - second), abs=2e-3)
        if name == "flat":
            assert body[0][0].startswith("row "), "without hidden layers pixels speak for outputs"


def check_squish(page: Page, layer: Layer, sums: Batch, neuron: int) -> None:
    text = part(page, "squish-words").inner_text().replace(MINUS, "-")
    z, a = numbers(text)[0], numbers(text)[-1]
    assert float(z) == pytest.approx(float(sums[neuron]), abs=1e-3)
    after = ACTIVATIONS[layer.activation](sums[None])[0]
    middle = {
        "relu": f" = max(0, {z})",
        "selu": f" = 1.0507 {TIMES} " + (f"{z}" if z > 0 else f"1.6733 {TIMES} (e^({z}) - 1)"),
    }
    if layer.activation == "softmax":
        power, total, count, a = numbers(text)[-4:]
        powers = np.exp(sums - sums.max())
        assert float(power) == pytest.approx(float(sums[neuron] - sums.max()), abs=1e-3)
        assert float(total) == pytest.approx(float(powers.sum()), abs=1e-3)
        assert count == len(sums)
    else:
        assert text == f"{layer.activation}({z}){middle.get(layer.activation, '')} = {a}"
    assert float(a) == pytest.approx(float(after[neuron]), abs=1e-3)


def test_without_weights_it_says_why(other_page: Watched) -> None:
    with turned_to(other_page, "large") as (page, _, _):
        expect(part(page, "inside")).to_be_hidden()
        expect(part(page, "no-weights")).to_contain_text(
            f"the network has {NETWORKS['large'].parameter_count} weights and biases"
        )
