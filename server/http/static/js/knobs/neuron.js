/** Knobs of one neuron: its bias, its weights, and whether anybody hears it. */

import { restored, silenced, withBias, withWeights } from "./altering.js";
import { nameLayer, nameNeuron } from "./names.js";
import { createPainting } from "./painting.js";
import { createKnob } from "./slider.js";

/** So many sliders at most; of more weights, those that are largest. */
const MAX_SLIDERS = 32;

const largest = (numbers) => numbers.reduce((most, x) => Math.max(most, Math.abs(x)), 0);

export function start({ store, find, history, current }) {
  const [layers, neurons] = [find("layer"), find("neuron")];
  const release = () => history.release();
  let chosen = { layer: 0, neuron: 0 };
  let built = "";
  let painting = null;
  let sliders = [];

  const bias = createKnob("Bias", {
    onTurn: (value) => history.turn(withBias(current(), chosen, value), { hold: true }),
    onEnd: release,
  });
  find("bias").append(bias.element);

  const turnWeights = (changes) => history.turn(withWeights(current(), chosen, changes), { hold: true });

  layers.addEventListener("change", () => {
    store.set({ selection: { layer: layers.selectedIndex, neuron: 0 } });
  });
  neurons.addEventListener("change", () => {
    store.set({ selection: { layer: chosen.layer, neuron: neurons.selectedIndex } });
  });
  find("silence").addEventListener("click", () => history.turn(silenced(current(), chosen)));
  find("restore").addEventListener("click", () => {
    history.turn(restored(current(), store.get("network"), chosen));
  });

  function buildPainting(shape) {
    painting = createPainting(shape, { onPaint: turnWeights, onEnd: release });
    find("weights").replaceChildren(painting.element);
  }

  function buildSliders(network) {
    const { layer, neuron } = chosen;
    const row = network.layers[layer].row(neuron);
    const inputs = Array.from(row.keys());
    if (inputs.length > MAX_SLIDERS) {
      inputs.sort((a, b) => Math.abs(row[b]) - Math.abs(row[a])).length = MAX_SLIDERS;
    }
    sliders = inputs.map((input) => {
      const name = layer ? `From ${nameNeuron(network, layer - 1, input)}` : `Input ${input + 1}`;
      const knob = createKnob(name, { onTurn: (weight) => turnWeights([[input, weight]]), onEnd: release });
      return { input, ...knob };
    });
    const hint = document.createElement("p");
    hint.className = "note";
    hint.textContent =
      row.length > MAX_SLIDERS
        ? `The ${MAX_SLIDERS} largest of its ${row.length} weights: right speaks for it, left against.`
        : `Its ${row.length} weights, one for each ${layer ? `neuron of ${nameLayer(network, layer - 1)}` : "input"}: ` +
          "right speaks for it, left against.";
    const list = document.createElement("div");
    list.className = "knobs-list";
    list.append(...sliders.map(({ element }) => element));
    find("weights").replaceChildren(hint, list);
  }

  /** Build what depends on the choice, unless it is there already. */
  function build(network) {
    const { layer, neuron } = chosen;
    const sizes = network.layers.map((each) => each.neurons).join();
    const isPainted = layer === 0 && network.shape;
    const wanted = [network.inputs, sizes, layer, isPainted ? "" : neuron].join(" ");
    if (wanted === built) return;
    built = wanted;
    [painting, sliders] = [null, []];
    layers.replaceChildren(...network.layers.map((_, k) => new Option(nameLayer(network, k))));
    neurons.replaceChildren(
      ...Array.from({ length: network.layers[layer].neurons }, (_, k) => new Option(nameNeuron(network, layer, k))),
    );
    if (isPainted) buildPainting(network.shape);
    else buildSliders(network);
  }

  store.watch(["network", "altered", "selection", "palette"], () => {
    const network = current();
    if (!network) return;
    const selection = store.get("selection");
    const isThere = selection && selection.neuron < (network.layers[selection.layer]?.neurons ?? 0);
    chosen = isThere ? selection : { layer: 0, neuron: 0 };
    const { layer, neuron } = chosen;
    build(network);
    layers.selectedIndex = layer;
    neurons.selectedIndex = neuron;

    const shown = network.layers[layer];
    const usual = store.get("network").layers[layer] ?? shown;
    const row = shown.row(neuron);
    bias.show(shown.biases[neuron], Math.max(5, 1.5 * largest(usual.biases)));
    painting?.show(row, largest(row) || 1);
    const reach = Math.max(1, 1.5 * largest(usual.weights));
    for (const slider of sliders) slider.show(row[slider.input], reach);

    const after = network.layers[layer + 1];
    find("silence").disabled = after
      ? Array.from({ length: after.neurons }, (_, h) => after.row(h)[neuron]).every((weight) => weight === 0)
      : row.every((weight) => weight === 0);
    find("restore").disabled = !store.get("altered") || !isSameShape(network, store.get("network"));
  });
}

function isSameShape(network, other) {
  return (
    network.layers.length === other.layers.length &&
    network.layers.every(({ neurons, inputs }, k) => neurons === other.layers[k].neurons && inputs === other.layers[k].inputs)
  );
}
