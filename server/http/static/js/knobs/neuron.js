/** Knobs of one neuron: its bias, its weights, and whether anybody hears it. */

import { element, setOptions } from "../elements.js";
import { bySize, largestSize } from "../watch/contributions.js";
import { inputName, layerName, neuronName } from "../watch/words.js";
import { alter, silenced, spread } from "./altering.js";
import { createPainting } from "./painting.js";
import { createKnob } from "./slider.js";

/** So many sliders at most; of more weights, those that are largest. */
const MAX_SLIDERS = 32;

export function startNeuron({ store, find, turn, current }) {
  const [layers, neurons, silence, parts] = ["layer", "neuron", "silence", "weights"].map(find);
  const change = (changeLayer) => turn(alter(current(), changeLayer, [place.layer]));
  const setRow = (row) => change((own) => own.row(place.neuron).set(row));
  const bias = createKnob("Bias", (value) => change((own) => (own.biases[place.neuron] = value)));
  let place = { layer: 0, neuron: 0 };
  let built = "";
  /** Shows the weights of the neuron, which are usually between -reach and reach. */
  let showWeights = null;

  find("bias").append(bias.root);
  layers.onchange = () => store.set({ selection: { layer: layers.selectedIndex, neuron: 0 } });
  neurons.onchange = () => store.set({ selection: { ...place, neuron: neurons.selectedIndex } });
  silence.onclick = () => turn(silenced(current(), place));

  function buildPainting(shape) {
    const painting = createPainting(shape, setRow);
    parts.replaceChildren(painting.root);
    showWeights = (shown) => painting.show(shown, Math.min(largestSize(shown), 4 * spread(shown)) || 1);
  }

  function buildSliders(row, names) {
    let shown = row;
    const isLong = row.length > MAX_SLIDERS;
    const inputs = isLong ? bySize(row, MAX_SLIDERS) : [...row.keys()];
    const knobs = inputs.map((input) => createKnob(names[input], (weight) => setRow(shown.with(input, weight))));
    const which = isLong ? `The ${MAX_SLIDERS} largest of its ${row.length} weights` : "Its weights";
    parts.replaceChildren(
      element("p", { className: "note" }, `${which}: to the right they speak for it, to the left against it.`),
      element("div", { className: "knobs-list" }, ...knobs.map(({ root }) => root)),
    );
    showWeights = (weights, reach) => {
      shown = weights;
      knobs.forEach((knob, k) => knob.show(shown[inputs[k]], reach));
    };
  }

  /** Build what depends on the choice, unless it is there already. */
  function build({ inputs, labelNames, shape, layers: all }) {
    const { layer, neuron } = place;
    const sizes = all.map(({ neurons: size }) => size);
    const count = sizes.length;
    const nameOf = (k, n) => (k < 0 ? inputName(n, shape) : neuronName(k, n, { count, labelNames }));
    const namesOf = (k) => Array.from({ length: sizes[k] ?? inputs }, (_, n) => nameOf(k, n));
    const listed = (names) => names.map((text, value) => ({ text, value }));
    setOptions(layers, listed(sizes.map((_, k) => layerName(k, count))), layer);
    setOptions(neurons, listed(namesOf(layer)), neuron);
    const isPainted = layer === 0 && shape;
    const wanted = JSON.stringify([inputs, sizes, labelNames, layer, isPainted ? shape : neuron]);
    if (wanted === built) return;
    built = wanted;
    if (isPainted) buildPainting(shape);
    else buildSliders(all[layer].row(neuron), namesOf(layer - 1));
  }

  store.watch(["network", "altered", "selection", "palette"], () => {
    const network = current();
    if (!network) return;
    const { selection } = store.state;
    place = network.layers[selection?.layer]?.neurons > selection?.neuron ? selection : { layer: 0, neuron: 0 };
    const { layer, neuron } = place;
    build(network);
    const own = network.layers[layer];
    const usual = store.state.network.layers[layer] ?? own;
    bias.show(own.biases[neuron], Math.max(5, 1.5 * largestSize(usual.biases)));
    showWeights(own.row(neuron), Math.max(1, 1.5 * largestSize(usual.weights)));
    silence.disabled = !silenced(network, place);
  });
}
