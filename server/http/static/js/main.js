/** Starts the parts of the page; each has a section of its own and meets the others in the store. */

import { keepAsking } from "./connection.js";
import { identify, loadModels, loadNetwork } from "./models/loading.js";
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
const retry = keepAsking({ store, load: () => loadModels(store) });
for (const [id, start] of Object.entries(parts)) start({ store, root: document.getElementById(id), retry });
startPredictor({ store, retry });
store.watch(["models", "model", "version"], () => store.set({ chosen: identify(store) }));
store.watch(["chosen", "connection"], () => loadNetwork(store));
