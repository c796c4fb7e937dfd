/** Look inside a neuron: its weights, what they make of the drawing, and how that adds up. */

import { layerName, neuronName, inputName } from "../watch/words.js";
import { decimal, signed } from "../watch/numbers.js";
import { fillTable } from "../watch/table.js";
import { squishText } from "./equation.js";
import { createGrids } from "./grids.js";
import { bySize, productsOf, roundTogether } from "./terms.js";
import { start as startWhy } from "./why.js";

const KEYS = ["network", "networkProblem", "altered", "pixels", "answer", "selection", "view", "palette", "theme"];
const LARGEST = 10;
const MOST_ROWS = 1000;

export function start({ store, root }) {
  const find = (name) => root.querySelector(`[data-part=${name}]`);
  const [layers, neurons, inside, missing, figures] = ["layer", "neuron", "inside", "missing", "figures"].map(find);
  const [readout, sum, squish, server, terms] = ["cell", "sum", "squish", "server", "terms"].map(find);
  const view = find("view");
  const why = startWhy({ store, root: find("why") });
  let listed = "";
  let gridded = "";
  let draw = null;
  let pointed = -1;
  let shown = null;
  let frame = 0;

  function render() {
    frame = 0;
    shown = lookInside(store);
    inside.hidden = !shown;
    missing.hidden = Boolean(shown);
    missing.textContent = `There are no weights to look at. ${store.get("networkProblem") ?? ""}`;
    if (!shown) return;
    const { network, layer, neuron, before, weights, products, names } = shown;
    list(network, layer, neuron);
    const isTables = store.get("view") === "tables";
    view.setAttribute("aria-pressed", isTables);
    figures.hidden = isTables;
    if (!isTables) {
      const shape = layer ? null : network.shape;
      const key = JSON.stringify([layer > 0, before.length, shape]);
      if (key !== gridded) {
        const nouns = layer ? "neurons" : shape ? "pixels" : "inputs";
        draw = createGrids(figures, { count: before.length, shape, nouns }, point);
        gridded = key;
      }
      draw({ weights, activations: before, products });
    }
    point(pointed);
    fillTerms(isTables ? MOST_ROWS : LARGEST, names);
    why.render(shown);
  }

  /** Offer all layers, and the neurons of the chosen one. */
  function list(network, layer, neuron) {
    const count = network.layers.length;
    const key = JSON.stringify([layer, network.labelNames, network.layers.map((each) => each.neurons)]);
    if (key !== listed) {
      const names = { count, labelNames: network.labelNames };
      layers.replaceChildren(...network.layers.map((_, k) => new Option(layerName(k, count), k)));
      const all = Array.from({ length: network.layers[layer].neurons }, (_, k) => k);
      neurons.replaceChildren(...all.map((k) => new Option(neuronName(layer, k, names), k)));
      listed = key;
    }
    layers.value = layer;
    neurons.value = neuron;
  }

  function point(cell) {
    pointed = cell < (shown?.before.length ?? 0) ? cell : -1;
    const text = pointed < 0 ? "" : cellText(shown, pointed);
    if (readout.textContent !== text) readout.textContent = text;
  }

  function fillTerms(limit, names) {
    const { bias, weights, before, products, activation, activations, layer, neuron, sums } = shown;
    const largest = bySize(products, limit);
    const chosen = new Set(largest);
    const others = products.reduce((total, product, k) => (chosen.has(k) ? total : total + product), 0);
    const hasOthers = largest.length < products.length;
    const { parts, total: z } = roundTogether([...largest.map((k) => products[k]), others, bias], 4);
    const [otherPart, biasPart] = parts.slice(-2);
    const weighted = roundTogether([z, -biasPart], 4).total;
    const most = Math.abs(products[largest[0]]) || 1;
    const a = activations[layer][neuron];
    sum.textContent = `w·a + b = ${decimal(weighted, 4)} ${biasPart < 0 ? "−" : "+"} ${decimal(Math.abs(biasPart), 4)} = ${decimal(z, 4)} = z`;
    squish.textContent = squishText(activation, z, a, sums[layer]);
    server.textContent = serverText(store, layer, neuron);
    fillTable(terms, {
      caption: hasOthers ? `The ${largest.length} largest of ${products.length} terms` : `All ${products.length} terms`,
      heads: ["From", "Weight", "Activation", "Weight × activation"],
      rows: largest.map((k, row) => [
        names(k),
        signed(weights[k], 4),
        decimal(before[k], 4),
        { text: signed(parts[row], 4), share: products[k] / most },
      ]),
      foot: [
        ...(hasOthers ? [[`The other ${products.length - largest.length}`, "", "", signed(otherPart, 4)]] : []),
        ["Bias b", "", "", signed(biasPart, 4)],
        ["Sum z", "", "", signed(z, 4)],
      ],
    });
  }

  layers.addEventListener("change", () => store.set({ selection: { layer: Number(layers.value), neuron: 0 } }));
  neurons.addEventListener("change", () =>
    store.set({ selection: { layer: Number(layers.value), neuron: Number(neurons.value) } }),
  );
  view.addEventListener("click", () => store.set({ view: store.get("view") === "tables" ? "picture" : "tables" }));
  store.watch(KEYS, () => {
    frame ||= requestAnimationFrame(render);
  });
}

/** The chosen neuron, or the first one, and everything about its sum; null without weights. */
function lookInside(store) {
  const network = store.get("altered") ?? store.get("network");
  const answered = store.get("answer")?.of;
  const pixels = answered?.length === network?.inputs ? answered : store.get("pixels");
  if (!network || pixels.length !== network.inputs) return null;
  const { sums, activations } = network.forward(pixels);
  const selection = store.get("selection");
  const layer = Math.min(selection?.layer ?? 0, network.layers.length - 1);
  const neuron = Math.min(selection?.neuron ?? 0, network.layers[layer].neurons - 1);
  const before = layer ? activations[layer - 1] : pixels;
  const { activation, biases } = network.layers[layer];
  return {
    network,
    pixels,
    sums,
    activations,
    layer,
    neuron,
    before,
    activation,
    bias: biases[neuron],
    weights: network.layers[layer].row(neuron),
    products: productsOf(network.layers[layer], neuron, before),
    names: (k) => sourceName(layer, k, network.shape),
  };
}

/** What a term of a layer's sums comes from. */
export function sourceName(layer, index, shape) {
  return layer ? `neuron ${index + 1}` : inputName(index, shape);
}

function cellText({ names, weights, before, products }, cell) {
  const noun = signed(products[cell], 4);
  return `${names(cell)}: weight ${signed(weights[cell], 4)} × ${decimal(before[cell], 4)} = ${noun}`;
}

function serverText(store, layer, neuron) {
  const answer = store.get("answer");
  if (answer?.source !== "server" || store.get("altered")) return "";
  const value = answer.activations[layer]?.[neuron];
  return value === undefined ? "" : `The server answered ${decimal(value, 4)}.`;
}
