/** Turns knobs: each function returns another network and leaves the one it was given alone. */

import { Layer, Network } from "../network.js";
import { normalNoise } from "../random.js";

/** The bias of an output that is silenced: a squish makes 0 of it, or next to nothing. */
const SILENT_BIAS = -50;

/** How much larger than Glorot's an activation wants its first weights, as in training. */
const INITIAL_GAIN = { sigmoid: 4, relu: Math.SQRT2 };

const HANDMADE_SIZES = [784, 16, 16, 10];

/** Have `change(layer, index)` change copies of some layers, or of all; the others are shared. */
export function alter(network, change, indices = network.layers.keys()) {
  const layers = [...network.layers];
  for (const k of indices) {
    layers[k] = layers[k].clone();
    change(layers[k], k);
  }
  return new Network(layers, network);
}

/** The weights by which the next layer hears a neuron; of an output, which nobody hears, those that lead to it. */
export function weightsOut({ layers }, { layer, neuron }) {
  const after = layers[layer + 1];
  return after ? Array.from(after.biases, (_, h) => after.row(h)[neuron]) : [...layers[layer].row(neuron)];
}

/** Have the next layer hear nothing of a neuron, or an output stay dark: its weights out become 0. */
export function silenced(network, { layer, neuron }) {
  if (layer + 1 < network.layers.length) {
    const ignore = (after) => after.biases.forEach((_, h) => (after.row(h)[neuron] = 0));
    return alter(network, ignore, [layer + 1]);
  }
  const darken = (own) => {
    own.row(neuron).fill(0);
    own.biases[neuron] = SILENT_BIAS;
  };
  return alter(network, darken, [layer]);
}

export function zeroed(network) {
  return alter(network, ({ weights, biases }) => [weights, biases].forEach((numbers) => numbers.fill(0)));
}

/** How far weights are from 0: the root of their mean square. */
export const spread = (weights) => Math.sqrt(weights.reduce((sum, weight) => sum + weight ** 2, 0) / weights.length);

/** How far Glorot's random weights are. */
const usualSpread = ({ inputs, neurons }) => Math.sqrt(2 / (inputs + neurons));

function addNoise({ weights }, scale, seed) {
  normalNoise(weights.length, seed).forEach((noise, i) => (weights[i] += scale * noise));
}

/** Add normal noise to all weights, `strength` times as large as those of the layer are. */
export function withNoise(network, strength, seed) {
  return alter(network, (layer, k) => {
    addNoise(layer, strength * (spread(layer.weights) || usualSpread(layer)), seed + k);
  });
}

/** A network of the same sizes as training begins with: Glorot's random weights, biases of 0. */
export function randomized(network, seed) {
  return alter(zeroed(network), (layer, k) => {
    const gain = k < network.layers.length - 1 ? INITIAL_GAIN[layer.activation] : 1;
    addNoise(layer, (gain ?? 1) * usualSpread(layer), seed + k);
  });
}

/** The handmade network, from the numbers of its file: W1, b1, W2 and so on. */
export function handmade(network, buffer) {
  let offset = 0;
  const take = (count) => {
    offset += count;
    return new Float32Array(buffer, 4 * (offset - count), count);
  };
  const layers = HANDMADE_SIZES.slice(1).map((neurons, k) => {
    return new Layer(take(neurons * HANDMADE_SIZES[k]), take(neurons), "sigmoid");
  });
  return new Network(layers, network);
}
