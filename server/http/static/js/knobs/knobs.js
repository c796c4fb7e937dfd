/** Turns the network's knobs on a copy, which answers in the server's place until one goes back. */

import { start as startReadings } from "../sheet/readings.js";
import { loadWhenSeen } from "../sheet/sheet.js";
import { packNetwork } from "./archive.js";
import { createHistory } from "./history.js";
import { start as startNeuron } from "./neuron.js";
import { start as startScore } from "./score.js";
import { start as startWhole } from "./whole.js";

export function start({ store, root }) {
  const find = (name) => root.querySelector(`#knobs-${name}`);
  const current = () => store.state.altered ?? store.state.network;
  const history = createHistory(store, (length) => (find("undo").disabled = !length));
  const fileName = () => `${store.state.model}-turned.npz`;

  loadWhenSeen(store, root);
  startReadings(store);
  for (const part of [startWhole, startNeuron, startScore]) part({ store, find, history, current });
  find("back").addEventListener("click", () => history.turn(null));
  find("undo").addEventListener("click", history.undo);
  find("download").addEventListener("click", () => {
    const { model, version } = store.state.network;
    const recipe = `knobs turned by hand in the page, on model ${model}, version ${version}`;
    const href = URL.createObjectURL(new Blob([packNetwork(current(), { recipe })]));
    Object.assign(document.createElement("a"), { href, download: fileName() }).click();
    URL.revokeObjectURL(href);
  });

  store.watch(["network", "networkProblem"], () => {
    const { network, networkProblem } = store.state;
    find("body").hidden = !network;
    find("missing").textContent = network ? "" : networkProblem || "The weights are on their way.";
  });
  store.watch(["network"], () => {
    history.clear();
    const count = store.state.network?.layers.reduce((sum, { weights, biases }) => sum + weights.length + biases.length, 0);
    find("count").textContent = `all ${count?.toLocaleString("en")} of them`;
    find("file").textContent = fileName();
  });
  store.watch(["altered"], () => {
    const isAltered = Boolean(store.state.altered);
    root.classList.toggle("is-altered", isAltered);
    find("back").hidden = !isAltered;
    find("state").textContent = isAltered
      ? "This page now answers with your network, not the server's."
      : "The server's network answers. Turn a knob, and yours does.";
  });
}
