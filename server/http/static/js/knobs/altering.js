/** Turns knobs: each function returns another network and leaves the one it was given alone. */

import { Network } from "../network.js";
import { normalNoise } from "../random.js";

/** The bias of an output that is silenced: a squish makes 0 of it, or next to nothing. */
const SILENT_BIAS = -50;

/** How much larger than Glorot's an activation wants its first weights, as in training. */
const INITIAL_GAIN = { sigmoid: 4, relu: Math.SQRT2 };

/** Have `change(layer, index)` change copies of some layers, or of all; the others are shared. */
export function alter(network, change, indices = network.layers.keys()) {
  const layers = [...network.layers];
  for (const k of indices) {
    layers[k] = layers[k].clone();
    change(layers[k], k);
  }
  return new Network(layers, network);
}

/** Have the next layer hear nothing of a neuron, or an output stay dark; null if there is nothing to silence. */
export function silenced(network, { layer, neuron }) {
  const isOutput = layer === network.layers.length - 1;
  let isHeard = false;
  const silence = ({ weights, biases, inputs }) => {
    weights.forEach((weight, i) => {
      if (!weight || (isOutput ? Math.floor(i / inputs) : i % inputs) !== neuron) return;
      weights[i] = 0;
      isHeard = true;
    });
    if (isOutput) biases[neuron] = SILENT_BIAS;
  };
  const altered = alter(network, silence, [isOutput ? layer : layer + 1]);
  return isHeard ? altered : null;
}

/** How far weights are from 0: the root of their mean square. */
export const spread = (weights) => Math.sqrt(weights.reduce((sum, weight) => sum + weight ** 2, 0) / weights.length);

/** How far Glorot's random weights are. */
const usualSpread = ({ inputs, neurons }) => Math.sqrt(2 / (inputs + neurons));

function addNoise({ weights }, scale, seed) {
  normalNoise(weights.length, seed).forEach((noise, i) => (weights[i] += scale * noise));
}

/** Add normal noise to all weights, `strength` times as large as those of the layer are. */
export const withNoise = (network, strength, seed) =>
  alter(network, (layer, k) => addNoise(layer, strength * (spread(layer.weights) || usualSpread(layer)), seed + k));

export const withoutBiases = (network) => alter(network, ({ biases }) => biases.fill(0));

export const zeroed = (network) => alter(withoutBiases(network), ({ weights }) => weights.fill(0));

/** A network of the same sizes as training begins with: Glorot's random weights, biases of 0. */
export function randomized(network, seed) {
  return alter(zeroed(network), (layer, k) => {
    const gain = (network.layers[k + 1] && INITIAL_GAIN[layer.activation]) ?? 1;
    addNoise(layer, gain * usualSpread(layer), seed + k);
  });
}
