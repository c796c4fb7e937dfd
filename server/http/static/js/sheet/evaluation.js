/** Reads many images at once; the same numbers as Network.forward, without the blank pixels. */

import { brightest } from "../network.js";

/** Where the ink is: the inked pixels of all images, one image after the other. */
export function findInk(bytes, count) {
  const pixels = bytes.length / count;
  const starts = new Uint32Array(count + 1);
  const places = [];
  for (let k = 0; k < count; k += 1) {
    for (let i = 0; i < pixels; i += 1) if (bytes[k * pixels + i]) places.push(i);
    starts[k + 1] = places.length;
  }
  const values = new Float32Array(places.length);
  for (let k = 0; k < count; k += 1) {
    for (let j = starts[k]; j < starts[k + 1]; j += 1) values[j] = bytes[k * pixels + places[j]] / 255;
  }
  return { starts, places: Uint32Array.from(places), values };
}

/** The label that layers read from each image, as an index. */
export function readAll([first, ...others], { starts, places, values }) {
  const { neurons, inputs, weights } = first;
  // A row for each pixel, so that what one inked pixel adds to all neurons lies side by side.
  const columns = new Float32Array(weights.length);
  for (let h = 0; h < neurons; h += 1) {
    for (let i = 0; i < inputs; i += 1) columns[i * neurons + h] = weights[h * inputs + i];
  }
  const sums = new Float64Array(neurons);
  const labels = new Uint16Array(starts.length - 1);
  for (let k = 0; k < labels.length; k += 1) {
    sums.set(first.biases);
    for (let j = starts[k]; j < starts[k + 1]; j += 1) {
      const value = values[j];
      const begin = places[j] * neurons;
      for (let h = 0; h < neurons; h += 1) sums[h] += columns[begin + h] * value;
    }
    let activations = first.squish(Float32Array.from(sums));
    for (const layer of others) activations = layer.squish(layer.sums(activations));
    labels[k] = brightest(activations);
  }
  return labels;
}
