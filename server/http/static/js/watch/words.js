/** What layers, neurons and inputs are called. */

/** The name of a layer after the input, 0 for the first of `count`. */
export const layerName = (layer, count) => (layer === count - 1 ? "Output layer" : `Hidden layer ${layer + 1}`);

/** The name of a neuron in such a layer: an output's is its label. */
export function neuronName(layer, neuron, { count, labelNames }) {
  return layer === count - 1 ? `output ${labelNames[neuron] ?? neuron}` : `neuron ${neuron + 1}`;
}

/** The name of an input: its place in the image, or its number. */
export function inputName(index, shape) {
  return shape ? `row ${Math.floor(index / shape[1]) + 1}, column ${(index % shape[1]) + 1}` : `input ${index + 1}`;
}
