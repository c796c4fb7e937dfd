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
  const current = () => store.get("altered") ?? store.get("network");
  const history = createHistory(store, () => (find("undo").disabled = history.length === 0));
  const fileName = () => `${store.get("model")}-turned.npz`;

  loadWhenSeen(store, root);
  startReadings(store);
  for (const part of [startWhole, startNeuron, startScore]) part({ store, find, history, current });
  find("back").addEventListener("click", () => history.turn(null));
  find("undo").addEventListener("click", () => history.undo());
  find("download").addEventListener("click", () => {
    const { model, version } = store.get("network");
    const recipe = `knobs turned by hand in the page, on model ${model}, version ${version}`;
    download(packNetwork(current(), { recipe }), fileName());
  });

  store.watch(["networkProblem"], () => {
    find("missing").textContent = store.get("networkProblem") || "The weights are on their way.";
  });
  store.watch(["network"], () => {
    const network = store.get("network");
    history.clear();
    find("body").hidden = !network;
    find("missing").hidden = Boolean(network);
    if (!network) return;
    const count = network.layers.reduce((sum, { weights, biases }) => sum + weights.length + biases.length, 0);
    find("count").textContent = `all ${count.toLocaleString("en")} of them`;
    find("file").textContent = fileName();
  });
  store.watch(["altered"], () => {
    const isAltered = Boolean(store.get("altered"));
    root.classList.toggle("is-altered", isAltered);
    find("back").hidden = !isAltered;
    find("state").textContent = isAltered
      ? "This page now answers with your network, not the server's."
      : "The server's network answers. Turn a knob, and yours does.";
  });
}

function download(bytes, name) {
  const href = URL.createObjectURL(new Blob([bytes]));
  Object.assign(document.createElement("a"), { href, download: name }).click();
  URL.revokeObjectURL(href);
}
