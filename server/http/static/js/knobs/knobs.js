/** Turns the network's knobs on a copy, which answers in the server's place until one goes back. */

import { loadWhenSeen } from "../sheet/sheet.js";
import { start as startReadings } from "../sheet/readings.js";
import { packNetwork } from "./archive.js";
import { createHistory } from "./history.js";
import { start as startNeuron } from "./neuron.js";
import { start as startScore } from "./score.js";
import { start as startWhole } from "./whole.js";

export function start({ store, root }) {
  const find = (id) => root.querySelector(`#knobs-${id}`);
  const history = createHistory(store, () => {
    find("undo").disabled = history.length === 0;
  });
  const knobs = {
    store,
    find,
    history,
    /** The network whose knobs these are. */
    current: () => store.get("altered") ?? store.get("network"),
  };
  loadWhenSeen(store, root);
  startReadings(store);
  startWhole(knobs);
  startNeuron(knobs);
  startScore(knobs);

  find("back").addEventListener("click", () => history.turn(null));
  find("undo").addEventListener("click", () => history.undo());
  find("download").addEventListener("click", () => download(knobs.current(), store.get("network"), nameOf(store)));

  store.watch(["network"], () => {
    const network = store.get("network");
    history.clear();
    find("body").hidden = !network;
    find("missing").hidden = Boolean(network);
    find("missing").textContent = store.get("model")
      ? "This model's weights are not there yet, or the server does not give them away."
      : "No model is served yet.";
    if (!network) return;
    const count = network.layers.reduce((sum, { weights, biases }) => sum + weights.length + biases.length, 0);
    root.querySelector("#knob-count").textContent = `: ${count.toLocaleString("en")} numbers here`;
    find("file").textContent = nameOf(store);
  });
  store.watch(["network", "altered"], () => {
    const isAltered = store.get("altered") !== null;
    root.classList.toggle("is-altered", isAltered);
    find("back").hidden = !isAltered;
    find("state").textContent = isAltered
      ? "This page now answers with your network, not the server\u2019s."
      : "The server\u2019s network answers. Turn a knob, and yours does.";
  });
}

function nameOf(store) {
  return `${store.get("model")}-turned.npz`;
}

function download(network, original, name) {
  const recipe = `knobs turned by hand in the page, on model ${original.model}, version ${original.version}`;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([packNetwork(network, { recipe })]));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
