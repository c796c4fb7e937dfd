/** Turns the network's knobs on a copy, which answers in the server's place until one goes back. */

import { element } from "../elements.js";
import { startReadings } from "../sheet/readings.js";
import { loadWhenSeen } from "../sheet/sheet.js";
import { packNetwork } from "./archive.js";
import { keepSteps } from "./history.js";
import { startNeuron } from "./neuron.js";
import { startScore } from "./score.js";
import { startWhole } from "./whole.js";

export function start({ store, root }) {
  const find = (name) => root.querySelector(`#knobs-${name}`);
  const current = () => store.state.altered ?? store.state.network;
  const turn = keepSteps(store, root, find("undo"));

  loadWhenSeen(store, document.querySelectorAll("#knobs, #examples"));
  startReadings(store);
  for (const part of [startWhole, startNeuron, startScore]) part({ store, find, turn, current });
  find("back").onclick = () => turn(null);
  find("download").onclick = () => {
    const { model, version } = store.state.network;
    const recipe = `knobs turned by hand in the page, on model ${model}, version ${version}`;
    const href = URL.createObjectURL(packNetwork(current(), { recipe }));
    element("a", { href, download: find("file").textContent }).click();
    URL.revokeObjectURL(href);
  };

  store.watch(["network", "networkProblem"], () => {
    const { network, networkProblem } = store.state;
    find("body").hidden = !network;
    find("missing").textContent = network ? "" : networkProblem || "The weights are being loaded.";
    if (!network) return;
    const count = network.layers.reduce((sum, { weights, biases }) => sum + weights.length + biases.length, 0);
    find("count").textContent = `all ${count.toLocaleString("en")} of them`;
    find("file").textContent = `${network.model}-turned.npz`;
  });
  store.watch(["altered"], () => {
    const isAltered = store.state.altered !== null;
    root.classList.toggle("is-altered", isAltered);
    find("back").hidden = !isAltered;
    find("state").textContent = isAltered
      ? "This page now answers with your network, not the server's."
      : "The server's network answers. Turn a knob, and yours does.";
  });
}
