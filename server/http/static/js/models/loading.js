/** Keeps the list of models and the chosen version's weights true to what the server has. */

import { getNetwork, listModels } from "../api.js";
import { report } from "../connection.js";
import { Network } from "../network.js";
import { choose, describeChanges, findVersion } from "./list.js";

/** What identifies the weights of the chosen version; "" when there is none. */
export function identify({ state: { model, version, models } }) {
  const entry = findVersion(models, model, version);
  return entry?.is_loaded ? `${model}/${version}/${entry.weights_sha256}` : "";
}

/** Load the list of models; when the chosen version is no longer served, the default one answers. */
export async function loadModels(store) {
  let models;
  try {
    models = await listModels();
  } catch (error) {
    report(store, error);
    return;
  }
  const { models: before, model, version, connection, notice } = store.state;
  report(store, null);
  const chosen = choose(models, model, version);
  const sentences = before ? describeChanges(before, models) : [];
  if (model && chosen.model && (chosen.model !== model || chosen.version !== version)) {
    sentences.push(`${chosen.model} ${chosen.version} answers now.`);
  }
  if (connection === "lost") sentences.unshift("The server answers again.");
  store.set({
    ...chosen,
    // An equal list is no change.
    models: JSON.stringify(before) === JSON.stringify(models) ? before : models,
    notice: sentences.join(" ") || notice,
  });
}

/** Load the weights of the chosen version; until they are there, those of the last one stay. */
export async function loadNetwork(store) {
  const { chosen, networkOf, model, version } = store.state;
  if (!chosen || networkOf === chosen) return;
  let network = null;
  let networkProblem = "";
  try {
    network = Network.fromJson(await getNetwork(model, version));
  } catch (error) {
    report(store, error);
    if (error.retryAfterSeconds) setTimeout(() => loadNetwork(store), 1000 * error.retryAfterSeconds);
    if (error.retryAfterSeconds || store.state.connection !== "ok") return;
    networkProblem = error.message;
  }
  const { models, pixels, selection } = store.state;
  if (store.state.chosen !== chosen) return;
  const [inputs] = findVersion(models, model, version).layer_sizes;
  store.set({
    network,
    networkOf: chosen,
    networkProblem,
    altered: null,
    answer: null,
    canonical: null,
    selection: selection?.neuron < network?.layers[selection?.layer]?.neurons ? selection : null,
    pixels: pixels.length === inputs ? pixels : new Float32Array(inputs),
  });
}
