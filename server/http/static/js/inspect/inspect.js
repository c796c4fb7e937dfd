/** Look inside a neuron: its weights, what they make of the drawing, and how that adds up. */

import { setOptions } from "../elements.js";
import { decimal, signed } from "../watch/numbers.js";
import { sceneOf } from "../watch/scene.js";
import { squishText } from "./equation.js";
import { createGrids } from "./grids.js";
import { fillTerms, productsOf, roundTogether } from "./terms.js";
import { createWhy } from "./why.js";

const KEYS = ["network", "networkProblem", "altered", "pixels", "answer", "selection", "view", "palette"];
const [LARGEST, MAX_ROWS] = [10, 1000];
const DIGITS = 4;

export function start({ store, root }) {
  const find = (name) => root.querySelector(`[data-part=${name}]`);
  const [layers, neurons, figures, view] = ["layer", "neuron", "figures", "view"].map(find);
  const showWhy = createWhy(find("why"), select);
  let draw = null;
  let gridded = "";
  let pointed = -1;
  let inside = null;
  let frame = 0;

  function select(layer, neuron) {
    store.set({ selection: { layer: layer - 1, neuron } });
  }

  function say(name, words) {
    if (find(name).textContent !== words) find(name).textContent = words;
  }

  function render() {
    frame = 0;
    const scene = sceneOf(store);
    inside = scene.network && scene.activations && lookInside(scene);
    find("inside").hidden = !inside;
    find("missing").hidden = inside || !scene.activations;
    say("missing", `There are no weights to look at. ${store.get("networkProblem")}`);
    if (!inside) return;
    const { layer, neuron, before, weights, products } = inside;
    const listed = (names) => names.map((text, value) => ({ text, value }));
    setOptions(layers, listed(scene.sizes.map((_, k) => scene.layerName(k))).slice(1), layer);
    setOptions(neurons, listed(Array.from(scene.activations[layer], (_, k) => scene.neuronName(layer, k))), neuron);
    const isTables = store.get("view") === "tables";
    [view.ariaPressed, figures.hidden] = [isTables, isTables];
    const shape = layer === 1 ? scene.shape : null;
    const key = `${before.length} ${shape}`;
    if (key !== gridded) draw = createGrids(figures, before.length, shape, point);
    gridded = key;
    draw({ weights, activations: before, products });
    point(pointed);
    showSum(scene, isTables ? MAX_ROWS : LARGEST);
    showWhy(scene);
  }

  function point(cell) {
    pointed = cell;
    const { before, weights, products, nameOf } = inside;
    if (!(cell in before)) return say("cell", "");
    const [weight, product] = [weights, products].map((numbers) => signed(numbers[cell], DIGITS));
    return say("cell", `${nameOf(cell)}: weight ${weight} × ${decimal(before[cell], DIGITS)} = ${product}`);
  }

  function showSum({ network, activations }, limit) {
    const { layer, neuron, before, weights, products, nameOf } = inside;
    const { biases, activation } = network.layers[layer - 1];
    const [b, z] = fillTerms(find("terms"), {
      caption: (shown) => `${shown < products.length ? `The ${shown} largest of` : "All"} ${products.length} terms`,
      heads: ["From", "Weight", "Activation", "Weight × activation"],
      terms: products,
      limit,
      cellsOf: (k) => [nameOf(k), signed(weights[k], DIGITS), decimal(before[k], DIGITS)],
      bias: biases[neuron],
      names: ["Bias b", "Sum z"],
      digits: DIGITS,
    });
    const weighted = roundTogether([z, -b], DIGITS).total;
    const plus = `${b < 0 ? "\u2212" : "+"} ${decimal(Math.abs(b), DIGITS)}`;
    say("sum", `w·a + b = ${decimal(weighted, DIGITS)} ${plus} = ${decimal(z, DIGITS)} = z`);
    const sums = network.layers[layer - 1].sums(before);
    say("squish", squishText(activation, z, network.layers[layer - 1].squish(sums)[neuron], sums));
    const isServers = store.get("answer").source === "server" && !store.get("altered");
    say("server", isServers ? `The server answered ${decimal(activations[layer][neuron], DIGITS)}.` : "");
  }

  layers.addEventListener("change", () => select(Number(layers.value), 0));
  neurons.addEventListener("change", () => select(Number(layers.value), Number(neurons.value)));
  view.addEventListener("click", () => store.set({ view: figures.hidden ? "picture" : "tables" }));
  store.watch(KEYS, () => {
    frame ||= requestAnimationFrame(render);
  });
}

/** The chosen neuron, or the first one, and what it multiplies. */
function lookInside({ network, activations, selected, neuronName }) {
  const layer = Math.min(selected?.layer ?? 1, network.layers.length);
  const own = network.layers[layer - 1];
  const neuron = Math.min(selected?.neuron ?? 0, own.neurons - 1);
  const before = activations[layer - 1];
  const nameOf = (k) => neuronName(layer - 1, k);
  return { layer, neuron, before, weights: own.row(neuron), products: productsOf(own, neuron, before), nameOf };
}
