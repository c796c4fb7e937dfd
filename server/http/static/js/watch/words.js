/** What layers, neurons and steps are called. */

/** The name of a layer after the input, 0 for the first one. */
export function layerName(layer, count) {
  return layer === count - 1 ? "Output layer" : `Hidden layer ${layer + 1}`;
}

/** The name of a neuron in its layer: an output's is its label. */
export function neuronName(layer, neuron, { count, labelNames }) {
  return layer === count - 1 ? `output ${labelNames[neuron] ?? neuron}` : `neuron ${neuron + 1}`;
}

/** The name of an input: its place in the image, or its number. */
export function inputName(index, shape) {
  if (!shape) return `input ${index + 1}`;
  return `row ${Math.floor(index / shape[1]) + 1}, column ${(index % shape[1]) + 1}`;
}

/** What happens at a step, layer 0 being the input. */
export function stepSentence(layer, { sizes, activations, shape, answer }) {
  const last = sizes.length - 1;
  const count = sizes[layer].toLocaleString("en");
  if (layer === 0) return `The ${count} ${shape ? "pixels light up: each holds how bright it is" : "inputs hold their numbers"}.`;
  const squish = activations ? ` and squishes the sum (${activations[layer - 1]})` : "";
  const sentence = `Each of the ${count} ${layer === last ? "outputs" : "neurons"} adds up weight times activation, adds its bias${squish}.`;
  return layer === last ? `${sentence} The brightest is the answer: ${answer}.` : sentence;
}
