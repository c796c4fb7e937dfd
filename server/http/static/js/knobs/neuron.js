/** Knobs of one neuron: its bias, its weights, and whether anybody hears it. */

import { element } from "../elements.js";
import { inputName, layerName, neuronName } from "../watch/words.js";
import { restored, silenced, spread, weightsOut, withBias, withWeights } from "./altering.js";
import { createPainting } from "./painting.js";
import { createKnob } from "./slider.js";

/** So many sliders at most; of more weights, those that are largest. */
const MAX_SLIDERS = 32;

const largest = (numbers) => numbers.reduce((most, number) => Math.max(most, Math.abs(number)), 0);
const isZero = (number) => number === 0;
const words = ({ layers, labelNames }) => ({ count: layers.length, labelNames });
const sizesOf = ({ inputs, layers }) => [inputs, ...layers.map((layer) => layer.neurons)].join();

export function start({ store, find, history, current }) {
  const [layers, neurons, silence, restore] = ["layer", "neuron", "silence", "restore"].map(find);
  const release = () => history.release();
  const turnWeights = (pairs) => history.turn(withWeights(current(), place, pairs), true);
  const bias = createKnob("Bias", (value) => history.turn(withBias(current(), place, value), true), release);
  let place = { layer: 0, neuron: 0 };
  let built = "";
  /** Shows the weights of a row; 0 to `reach` is where they usually are. */
  let showWeights = null;

  find("bias").append(bias.root);
  layers.addEventListener("change", () => select(layers.selectedIndex, 0));
  neurons.addEventListener("change", () => select(place.layer, neurons.selectedIndex));
  silence.addEventListener("click", () => history.turn(silenced(current(), place)));
  restore.addEventListener("click", () => history.turn(restored(current(), store.get("network"), place)));

  function select(layer, neuron) {
    store.set({ selection: { layer, neuron } });
  }

  function buildPainting(shape) {
    const painting = createPainting(shape, turnWeights, release);
    find("weights").replaceChildren(painting.root);
    showWeights = (row) => painting.show(row, Math.min(largest(row), 4 * spread(row)) || 1);
  }

  function buildSliders(network, row) {
    const before = place.layer - 1;
    const inputs = [...row.keys()];
    const isLong = inputs.length > MAX_SLIDERS;
    if (isLong) inputs.sort((a, b) => Math.abs(row[b]) - Math.abs(row[a])).length = MAX_SLIDERS;
    const knobs = inputs.map((input) => {
      const name = before < 0 ? inputName(input, network.shape) : neuronName(before, input, words(network));
      return createKnob(name, (weight) => turnWeights([[input, weight]]), release);
    });
    const which = isLong ? `The ${MAX_SLIDERS} largest of its ${row.length} weights` : "Its weights";
    find("weights").replaceChildren(
      element("p", { className: "note" }, `${which}: to the right, what they lead from speaks for it; to the left, against.`),
      element("div", { className: "knobs-list" }, ...knobs.map(({ root }) => root)),
    );
    showWeights = (shown, reach) => knobs.forEach((knob, k) => knob.show(shown[inputs[k]], reach));
  }

  /** Build what depends on the choice, unless it is there already. */
  function build(network, { layer, neuron }) {
    const isPainted = layer === 0 && network.shape;
    const wanted = [sizesOf(network), layer, isPainted ? "" : neuron].join(" ");
    if (wanted === built) return;
    built = wanted;
    const own = network.layers[layer];
    layers.replaceChildren(...network.layers.map((_, k) => new Option(layerName(k, network.layers.length))));
    neurons.replaceChildren(...Array.from(own.biases, (_, k) => new Option(neuronName(layer, k, words(network)))));
    if (isPainted) buildPainting(network.shape);
    else buildSliders(network, own.row(neuron));
  }

  store.watch(["network", "altered", "selection", "palette"], () => {
    const network = current();
    if (!network) return;
    const original = store.get("network");
    const selection = store.get("selection");
    const isThere = selection && selection.neuron < network.layers[selection.layer]?.neurons;
    place = isThere ? selection : { layer: 0, neuron: 0 };
    const { layer, neuron } = place;
    build(network, place);
    [layers.selectedIndex, neurons.selectedIndex] = [layer, neuron];

    const own = network.layers[layer];
    const usual = original.layers[layer] ?? own;
    const row = own.row(neuron);
    bias.show(own.biases[neuron], Math.max(5, 1.5 * largest(usual.biases)));
    showWeights(row, Math.max(1, 1.5 * largest(usual.weights)));
    const out = weightsOut(network, place);
    silence.disabled = (out.length ? out : row).every(isZero);
    restore.disabled = !store.get("altered") || sizesOf(network) !== sizesOf(original);
  });
}
