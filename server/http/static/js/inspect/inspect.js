/** Look inside a neuron: its weights, what they make of the drawing, and how that adds up. */

import { byId, say, setOptions } from "../elements.js";
import { decimal, signed } from "../watch/numbers.js";
import { sceneOf } from "../watch/scene.js";
import { squishText } from "./equation.js";
import { createGrids } from "./grids.js";
import { fillTerms, productsOf, roundTogether } from "./terms.js";
import { createWhy } from "./why.js";

const KEYS = ["network", "networkProblem", "altered", "pixels", "answer", "selection", "view", "palette"];
const [FEW_ROWS, MAX_ROWS] = [10, 1000];

export function start({ store }) {
  const { state } = store;
  const { insideLayer, insideNeuron, insideView, figures, inside, noWeights, cellWords } = byId;
  const { terms, sumWords, squishWords, servedWords } = byId;
  const showWhy = createWhy(select);
  let draw = null;
  let gridded = "";
  let pointed = -1;
  let seen = null;
  let frame = 0;

  function select(layer, neuron) {
    store.set({ selection: { layer: layer - 1, neuron } });
  }

  function render() {
    frame = 0;
    const scene = sceneOf(store);
    const { sizes, layerName, neuronName } = scene;
    seen = scene.network && scene.activations && lookInside(scene);
    inside.hidden = !seen;
    noWeights.hidden = seen || !scene.activations;
    say(noWeights, `There are no weights to look at. ${state.networkProblem}`);
    if (!seen) return;
    const { layer, neuron, before } = seen;
    const listed = (count, nameOf) => Array.from({ length: count }, (_, value) => ({ text: nameOf(value), value }));
    setOptions(insideLayer, listed(sizes.length, layerName).slice(1), layer);
    setOptions(insideNeuron, listed(sizes[layer], (k) => neuronName(layer, k)), neuron);
    const isTables = state.view === "tables";
    [insideView.ariaPressed, figures.hidden] = [isTables, isTables];
    const shape = layer === 1 ? scene.shape : null;
    const key = `${before.length} ${shape}`;
    if (key !== gridded) draw = createGrids(figures, before.length, shape, point);
    gridded = key;
    draw({ ...seen, activations: before });
    point(pointed);
    showSum(isTables ? MAX_ROWS : FEW_ROWS);
    showWhy(scene);
  }

  function point(cell) {
    pointed = cell;
    const { cellsOf, nameOf, before, products } = seen;
    if (!(cell in before)) return say(cellWords, "");
    const [, weight, activation] = cellsOf(cell);
    return say(cellWords, `${nameOf(cell)}: weight ${weight} × ${activation} = ${signed(products[cell])}`);
  }

  function showSum(limit) {
    const { own, neuron, before, products, cellsOf } = seen;
    const count = products.length;
    const [b, z] = fillTerms(terms, {
      caption: `${limit < count ? `The ${limit} largest of` : "All"} ${count} terms`,
      heads: ["From", "Weight", "Activation", "Weight × activation"],
      terms: products,
      limit,
      cellsOf,
      bias: own.biases[neuron],
      names: ["Bias b", "Sum z"],
    });
    const [weighted, size, sum] = [roundTogether([z, -b]).total, Math.abs(b), z].map((x) => decimal(x));
    say(sumWords, `w·a + b = ${weighted} ${b < 0 ? "\u2212" : "+"} ${size} = ${sum} = z`);
    const sums = own.sums(before);
    say(squishWords, squishText(own.activation, z, own.squish(sums)[neuron], sums));
    const isServers = state.answer.source === "server" && !state.altered;
    say(servedWords, isServers ? `The server answered ${decimal(seen.after)}.` : "");
  }

  insideLayer.onchange = () => select(Number(insideLayer.value), 0);
  insideNeuron.onchange = () => select(Number(insideLayer.value), Number(insideNeuron.value));
  insideView.onclick = () => store.set({ view: figures.hidden ? "picture" : "tables" });
  store.watch(KEYS, () => {
    frame ||= requestAnimationFrame(render);
  });
}

/** The chosen neuron, or the first one, and what it multiplies. */
function lookInside({ network, activations, selected, neuronName }) {
  const layer = Math.min(selected?.layer ?? 1, network.layers.length);
  const own = network.layers[layer - 1];
  const neuron = Math.min(selected?.neuron ?? 0, own.neurons - 1);
  const [before, weights] = [activations[layer - 1], own.row(neuron)];
  const nameOf = (k) => neuronName(layer - 1, k);
  const cellsOf = (k) => [nameOf(k), signed(weights[k]), decimal(before[k])];
  const after = activations[layer][neuron];
  return { layer, own, neuron, before, after, weights, products: productsOf(own, neuron, before), nameOf, cellsOf };
}
