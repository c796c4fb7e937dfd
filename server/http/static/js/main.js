/** Starts the parts of the page; each has a section of its own and meets the others in the store. */

import { keepAsking } from "./connection.js";
import { identify, loadModels, loadNetwork } from "./models/loading.js";
import { store } from "./store.js";
import * as predictor from "./predictor.js";
import * as shell from "./shell/shell.js";
import * as draw from "./draw/draw.js";
import * as answers from "./answers/answers.js";
import * as watch from "./watch/watch.js";
import * as inspect from "./inspect/inspect.js";
import * as knobs from "./knobs/knobs.js";
import * as examples from "./examples/examples.js";
import * as share from "./share/share.js";

const retry = keepAsking({ store, load: () => loadModels(store) });
for (const [id, part] of Object.entries({ shell, draw, answers, watch, inspect, knobs, examples, share, predictor })) {
  part.start({ store, root: document.getElementById(id), retry });
}
store.watch(["models", "model", "version"], () => store.set({ chosen: identify(store) }));
store.watch(["chosen", "connection"], () => loadNetwork(store));
