/** Reads the sheet's images on a thread of its own, so that the page never waits for a large network. */

import { brightest, Layer } from "../network.js";

let images = [];
/** Where each image has ink; the other pixels add nothing. */
let inked = [];

self.onmessage = ({ data }) => {
  if (data.images) {
    images = data.images;
    inked = images.map((pixels) => Uint16Array.from(pixels.keys()).filter((i) => pixels[i]));
    return;
  }
  const begin = performance.now();
  const [first, ...others] = data.layers.map((layer) => new Layer(layer.weights, layer.biases, layer.activation));
  const rows = Array.from(first.biases, (_, neuron) => first.row(neuron));
  const labels = images.map((pixels, k) => {
    const sums = first.biases.map((bias, neuron) => {
      let sum = bias;
      for (const i of inked[k]) sum += rows[neuron][i] * pixels[i];
      return sum;
    });
    return brightest(others.reduce((before, layer) => layer.squish(layer.sums(before)), first.squish(sums)));
  });
  self.postMessage({ labels, milliseconds: performance.now() - begin });
};
