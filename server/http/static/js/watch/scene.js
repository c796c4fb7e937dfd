/** What is to be shown: the network that answers and one image in it. Layers are counted from the input, 0. */

import { findVersion } from "../models/list.js";
import { inputName, layerName, neuronName } from "./words.js";

/** The scene of now: what is not known yet is null, such as the activations, which begin with the input's. */
export function sceneOf(store) {
  const { models, model, version, answer, pixels, selection, altered } = store.state;
  const network = altered ?? store.state.network;
  const known = answer ? [answer.of ?? pixels, ...answer.activations] : null;
  const sizesOf = (layers) => layers.map(({ length }) => length);
  const sizesOfNetwork = network && [network.inputs, ...network.layers.map(({ neurons }) => neurons)];
  const sizes = sizesOfNetwork ?? sizesOf(known ?? [pixels]);
  const fits = known && String(sizesOf(known)) === String(sizes);
  const layout = findVersion(models, model, version)?.image_layout;
  const shape = network ? network.shape : layout ? [layout.rows, layout.columns] : null;
  const labelNames = (network ?? answer)?.labelNames ?? [];
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
