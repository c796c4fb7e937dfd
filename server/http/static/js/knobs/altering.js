/** Turns knobs: each function returns another network and leaves the one it was given alone. */

import { normalNoise } from "../random.js";
import { Layer, Network } from "../network.js";

/** The bias of an output that is silenced: a squish makes 0 of it, or next to nothing. */
const SILENT_BIAS = -50;

/** How much larger than Glorot's an activation wants its first weights, as in training. */
const INITIAL_GAIN = { sigmoid: 4, relu: Math.SQRT2 };

/** A network with some layers changed; the others are shared. */
function change(network, changes, indices = network.layers.keys()) {
  const layers = [...network.layers];
  for (const k of indices) {
    layers[k] = layers[k].clone();
    changes(layers[k], k);
  }
  return new Network(layers, network);
}

/** Change some weights of one neuron: [input, weight] pairs. */
export function withWeights(network, { layer, neuron }, pairs) {
  const set = (changed) => pairs.forEach(([input, weight]) => (changed.row(neuron)[input] = weight));
  return change(network, set, [layer]);
}

export function withBias(network, { layer, neuron }, bias) {
  return change(network, (changed) => (changed.biases[neuron] = bias), [layer]);
}

export function withActivation(network, layer, activation) {
  return change(network, (changed) => (changed.activation = activation), [layer]);
}

/** The weights by which the next layer hears a neuron; none for an output. */
export function weightsOut(network, { layer, neuron }) {
  const after = network.layers[layer + 1];
  return after ? Array.from(after.biases, (_, h) => after.row(h)[neuron]) : [];
}

function withWeightsOut(network, { layer, neuron }, weights) {
  const set = (after) => weights.forEach((weight, h) => (after.row(h)[neuron] = weight));
  return weights.length ? change(network, set, [layer + 1]) : network;
}

/** Nobody hears a neuron whose weights out are 0; an output has none, so it is kept dark. */
export function silenced(network, place) {
  const out = weightsOut(network, place);
  if (out.length) return withWeightsOut(network, place, out.fill(0));
  const dark = (layer) => {
    layer.row(place.neuron).fill(0);
    layer.biases[place.neuron] = SILENT_BIAS;
  };
  return change(network, dark, [place.layer]);
}

/** Give a neuron the weights, in and out, and the bias that it has in another network. */
export function restored(network, original, place) {
  const { layer, neuron } = place;
  const own = original.layers[layer];
  const weighted = withWeights(network, place, [...own.row(neuron).entries()]);
  return withWeightsOut(withBias(weighted, place, own.biases[neuron]), place, weightsOut(original, place));
}

export function withoutBiases(network) {
  return change(network, ({ biases }) => biases.fill(0));
}

export function zeroed(network) {
  return change(network, ({ weights, biases }) => [weights, biases].forEach((numbers) => numbers.fill(0)));
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
  return change(network, (layer, k) => addNoise(layer, strength * (spread(layer.weights) || usualSpread(layer)), seed + k));
}

/** A network of the same sizes as training begins with: Glorot's random weights, biases of 0. */
export function randomized(network, seed) {
  return change(zeroed(network), (layer, k) => {
    const gain = k < network.layers.length - 1 ? (INITIAL_GAIN[layer.activation] ?? 1) : 1;
    addNoise(layer, gain * usualSpread(layer), seed + k);
  });
}

const HANDMADE_SIZES = [784, 16, 16, 10];

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
