/** What is to be shown: the network that answers and one image in it. Layers are counted from the input, 0. */

import { findVersion } from "../models/list.js";
import { inputName, layerName, neuronName } from "./words.js";

/** The scene of now: {network, sizes, shape, activations, label, labelNames, selected, ...names}; null for what is not known. */
export function sceneOf(store) {
  const network = store.get("altered") ?? store.get("network");
  const answer = store.get("answer");
  const known = answer ? [answer.of ?? store.get("pixels"), ...answer.activations] : null;
  const sizesOf = (layers) => layers.map((layer) => layer.length);
  const sizes = network
    ? [network.inputs, ...network.layers.map((layer) => layer.neurons)]
    : sizesOf(known ?? [store.get("pixels")]);
  const fits = known && String(sizesOf(known)) === String(sizes);
  const layout = findVersion(store.get("models"), store.get("model"), store.get("version"))?.image_layout;
  const shape = network ? network.shape : layout ? [layout.rows, layout.columns] : null;
  const labelNames = network?.labelNames ?? answer?.labelNames ?? [];
  const selection = store.get("selection");
  const count = sizes.length - 1;
  return {
    network,
    sizes,
    shape,
    labelNames,
    activations: fits ? known : null,
    label: fits ? answer.label : -1,
    selected: selection && { layer: selection.layer + 1, neuron: selection.neuron },
    layerName: (layer) => (layer ? layerName(layer - 1, count) : "Input"),
    neuronName: (layer, k) => (layer ? neuronName(layer - 1, k, { count, labelNames }) : inputName(k, shape)),
  };
}
