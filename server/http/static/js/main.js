/** Starts the parts of the page; each has a section of its own and meets the others in the store. */

import { getNetwork, listModels } from "./api.js";
import { report } from "./connection.js";
import { Network } from "./network.js";
import { store } from "./store.js";
import { start as startPredictor } from "./predictor.js";
import { start as startShell } from "./shell/shell.js";
import { start as startDraw } from "./draw/draw.js";
import { start as startAnswers } from "./answers/answers.js";
import { start as startWatch } from "./watch/watch.js";
import { start as startInspect } from "./inspect/inspect.js";
import { start as startKnobs } from "./knobs/knobs.js";
import { start as startExamples } from "./examples/examples.js";
import { start as startShare } from "./share/share.js";

/** Load the list of models, and choose the default one if none is chosen. */
export async function loadModels() {
  try {
    const models = await listModels();
    report(store, null);
    const chosen = models.models.find((model) => model.name === models.default_model) ?? models.models[0];
    const isNew = !store.get("model") && chosen;
    store.set({ models, ...(isNew ? { model: chosen.name, version: chosen.default_version } : {}) });
  } catch (error) {
    report(store, error);
  }
}

/** Load the weights of the chosen version. */
async function loadNetwork() {
  const [model, version] = [store.get("model"), store.get("version")];
  if (!model) return;
  try {
    const network = Network.fromJson(await getNetwork(model, version));
    if (store.get("model") !== model || store.get("version") !== version) return;
    const pixels = store.get("pixels");
    store.set({
      network,
      altered: null,
      selection: null,
      ...(pixels.length === network.inputs ? {} : { pixels: new Float32Array(network.inputs) }),
    });
  } catch (error) {
    report(store, error);
    store.set({ network: null });
  }
}

const parts = {
  shell: startShell,
  draw: startDraw,
  answers: startAnswers,
  watch: startWatch,
  inspect: startInspect,
  knobs: startKnobs,
  examples: startExamples,
  share: startShare,
};
for (const [id, start] of Object.entries(parts)) start({ store, root: document.getElementById(id) });
startPredictor({ store });
store.watch(["model", "version"], loadNetwork);
await loadModels();
