/** Knobs of one neuron: its bias, its weights, and whether anybody hears it. */

import { element } from "../elements.js";
import { inputName, layerName, neuronName } from "../watch/words.js";
import { alter, silenced, spread, weightsOut } from "./altering.js";
import { createPainting } from "./painting.js";
import { createKnob } from "./slider.js";

/** So many sliders at most; of more weights, those that are largest. */
const MAX_SLIDERS = 32;

const largest = (numbers) => numbers.reduce((most, number) => Math.max(most, Math.abs(number)), 0);

export function start({ store, find, history, current }) {
  const [layers, neurons, silence, parts] = ["layer", "neuron", "silence", "weights"].map(find);
  const turn = (change) => history.turn(alter(current(), change, [place.layer]), true);
  const turnWeights = (pairs) =>
    turn((own) => pairs.forEach(([input, weight]) => (own.row(place.neuron)[input] = weight)));
  const bias = createKnob("Bias", (value) => turn((own) => (own.biases[place.neuron] = value)), history.release);
  let place = { layer: 0, neuron: 0 };
  let built = "";
  /** Shows the weights of the neuron, which are usually between -reach and reach. */
  let showWeights = null;

  find("bias").append(bias.root);
  layers.addEventListener("change", () => select(layers.selectedIndex, 0));
  neurons.addEventListener("change", () => select(place.layer, neurons.selectedIndex));
  silence.addEventListener("click", () => history.turn(silenced(current(), place)));

  function select(layer, neuron) {
    store.set({ selection: { layer, neuron } });
  }

  function buildPainting(shape) {
    const painting = createPainting(shape, turnWeights, history.release);
    parts.replaceChildren(painting.root);
    showWeights = (row) => painting.show(row, Math.min(largest(row), 4 * spread(row)) || 1);
  }

  function buildSliders(row, nameOf) {
    const inputs = [...row.keys()];
    const isLong = inputs.length > MAX_SLIDERS;
    if (isLong) inputs.sort((a, b) => Math.abs(row[b]) - Math.abs(row[a])).length = MAX_SLIDERS;
    const knobs = inputs.map((input) =>
      createKnob(nameOf(input), (weight) => turnWeights([[input, weight]]), history.release),
    );
    const which = isLong ? `The ${MAX_SLIDERS} largest of its ${row.length} weights` : "Its weights";
    parts.replaceChildren(
      element("p", { className: "note" }, `${which}: to the right they speak for it, to the left against it.`),
      element("div", { className: "knobs-list" }, ...knobs.map(({ root }) => root)),
    );
    showWeights = (shown, reach) => knobs.forEach((knob, k) => knob.show(shown[inputs[k]], reach));
  }

  /** Build what depends on the choice, unless it is there already. */
  function build({ inputs, labelNames, shape, layers: all }, { layer, neuron }) {
    const isPainted = layer === 0 && shape;
    const wanted = String([inputs, ...all.map((each) => each.neurons), labelNames, layer, isPainted ? "" : neuron]);
    if (wanted === built) return;
    built = wanted;
    const count = all.length;
    const nameOf = (index) => (k) => (index < 0 ? inputName(k, shape) : neuronName(index, k, { count, labelNames }));
    layers.replaceChildren(...all.map((_, k) => new Option(layerName(k, count))));
    neurons.replaceChildren(...[...all[layer].biases.keys()].map((k) => new Option(nameOf(layer)(k))));
    if (isPainted) buildPainting(shape);
    else buildSliders(all[layer].row(neuron), nameOf(layer - 1));
  }

  store.watch(["network", "altered", "selection", "palette"], () => {
    const network = current();
    if (!network) return;
    const selection = store.state.selection;
    const isThere = selection && selection.neuron < network.layers[selection.layer]?.neurons;
    place = isThere ? selection : { layer: 0, neuron: 0 };
    const { layer, neuron } = place;
    build(network, place);
    [layers.selectedIndex, neurons.selectedIndex] = [layer, neuron];
    const own = network.layers[layer];
    const usual = store.state.network.layers[layer] ?? own;
    bias.show(own.biases[neuron], Math.max(5, 1.5 * largest(usual.biases)));
    showWeights(own.row(neuron), Math.max(1, 1.5 * largest(usual.weights)));
    silence.disabled = !largest(weightsOut(network, place));
  });
}
