/** What layers and neurons are called. */

/** The layers after the input, by index: "layer 1", ..., "the output". */
export function nameLayer(network, layer) {
  return layer === network.layers.length - 1 ? "the output" : `layer ${layer + 1}`;
}

/** A neuron: its label in the output, a number from 1 in other layers. */
export function nameNeuron(network, layer, neuron) {
  return layer === network.layers.length - 1 ? network.labelNames[neuron] : String(neuron + 1);
}
