/** Reads the sheet on a thread of its own, so that the page never waits for a large network. */

import { Layer } from "../network.js";
import { findInk, readAll } from "./evaluation.js";

let ink = null;

self.onmessage = ({ data: { bytes, count, layers } }) => {
  if (bytes) {
    ink = findInk(bytes, count);
    return;
  }
  const made = layers.map(({ weights, biases, activation }) => new Layer(weights, biases, activation));
  const begin = performance.now();
  const labels = readAll(made, ink);
  self.postMessage({ labels, milliseconds: performance.now() - begin });
};
