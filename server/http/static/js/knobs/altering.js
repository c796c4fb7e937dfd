/** Turns knobs: each function returns another network and leaves the one it was given alone. */

import { Layer, Network } from "../network.js";
import { normals } from "./random.js";

/** What is added to the bias of an output that is silenced: a squish makes 0 of it. */
const SILENT_BIAS = -50;

/** How much larger than Glorot's an activation wants its first weights, as in training. */
const INITIAL_GAIN = { sigmoid: 4, relu: Math.SQRT2 };

function withLayer(network, index, change) {
  const layers = [...network.layers];
  layers[index] = layers[index].clone();
  change(layers[index]);
  return new Network(layers, network);
}

/** Change some weights of one neuron: [input, weight] pairs. */
export function withWeights(network, { layer, neuron }, changes) {
  return withLayer(network, layer, (changed) => {
    const row = changed.row(neuron);
    for (const [input, weight] of changes) row[input] = weight;
  });
}

export function withBias(network, { layer, neuron }, bias) {
  return withLayer(network, layer, (changed) => {
    changed.biases[neuron] = bias;
  });
}

export function withActivation(network, layer, activation) {
  return withLayer(network, layer, (changed) => {
    changed.activation = activation;
  });
}

/** Nobody hears a neuron whose weights out are 0; an output has none, so it is told to stay dark. */
export function silenced(network, { layer, neuron }) {
  if (layer === network.layers.length - 1) {
    return withLayer(network, layer, (changed) => {
      changed.row(neuron).fill(0);
      changed.biases[neuron] = SILENT_BIAS;
    });
  }
  return withLayer(network, layer + 1, (after) => {
    for (let h = 0; h < after.neurons; h += 1) after.row(h)[neuron] = 0;
  });
}

/** Give a neuron's weights, in and out, and its bias those of another network of the same sizes. */
export function restored(network, original, { layer, neuron }) {
  const own = withLayer(network, layer, (changed) => {
    changed.row(neuron).set(original.layers[layer].row(neuron));
    changed.biases[neuron] = original.layers[layer].biases[neuron];
  });
  if (layer === network.layers.length - 1) return own;
  return withLayer(own, layer + 1, (after) => {
    for (let h = 0; h < after.neurons; h += 1) after.row(h)[neuron] = original.layers[layer + 1].row(h)[neuron];
  });
}

export function withoutBiases(network) {
  return new Network(
    network.layers.map(({ weights, biases, activation }) => {
      return new Layer(weights, new Float32Array(biases.length), activation);
    }),
    network,
  );
}

/** How far the numbers are from 0, as the root of their mean square. */
function spread(numbers) {
  return Math.sqrt(numbers.reduce((sum, x) => sum + x * x, 0) / numbers.length);
}

/** How large Glorot's random weights are. */
function usualSpread({ inputs, neurons }) {
  return Math.sqrt(2 / (inputs + neurons));
}

/** Add normal noise to all weights, `strength` times as large as the weights of the layer are. */
export function withNoise(network, strength, seed) {
  const next = normals(seed);
  return new Network(
    network.layers.map((layer) => {
      const { weights, biases, activation } = layer;
      const scale = strength * (spread(weights) || usualSpread(layer));
      return new Layer(weights.map((weight) => weight + scale * next()), biases, activation);
    }),
    network,
  );
}

/** A network of the same sizes as training begins with: Glorot's random weights, biases of 0. */
export function randomized(network, seed) {
  const next = normals(seed);
  return new Network(
    network.layers.map((layer, k) => {
      const { weights, neurons, activation } = layer;
      const gain = k < network.layers.length - 1 ? (INITIAL_GAIN[activation] ?? 1) : 1;
      const scale = gain * usualSpread(layer);
      return new Layer(weights.map(() => scale * next()), new Float32Array(neurons), activation);
    }),
    network,
  );
}

export function zeroed(network) {
  return new Network(
    network.layers.map(({ weights, neurons, activation }) => {
      return new Layer(new Float32Array(weights.length), new Float32Array(neurons), activation);
    }),
    network,
  );
}

const HANDMADE_SIZES = [784, 16, 16, 10];

/** The handmade network, from the numbers of its file: W1, b1, W2 and so on. */
export function handmade(network, buffer) {
  const layers = [];
  let offset = 0;
  const take = (count) => {
    offset += 4 * count;
    return new Float32Array(buffer, offset - 4 * count, count);
  };
  for (let k = 1; k < HANDMADE_SIZES.length; k += 1) {
    const [inputs, neurons] = HANDMADE_SIZES.slice(k - 1, k + 1);
    layers.push(new Layer(take(inputs * neurons), take(neurons), "sigmoid"));
  }
  return new Network(layers, network);
}
