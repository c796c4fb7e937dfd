/** Turns the network's knobs on a copy, which answers in the server's place until one goes back. */

import { element } from "../elements.js";
import { startReadings } from "../sheet/readings.js";
import { loadWhenSeen } from "../sheet/sheet.js";
import { packNetwork } from "./archive.js";
import { createHistory } from "./history.js";
import { startNeuron } from "./neuron.js";
import { startScore } from "./score.js";
import { startWhole } from "./whole.js";

export function start({ store, root }) {
  const find = (name) => root.querySelector(`#knobs-${name}`);
  const current = () => store.state.altered ?? store.state.network;
  const history = createHistory(store, root, (length) => (find("undo").disabled = !length));

  loadWhenSeen(store, document.querySelectorAll("#knobs, #examples"));
  startReadings(store);
  for (const part of [startWhole, startNeuron, startScore]) part({ store, find, history, current });
  find("back").onclick = () => history.turn(null);
  find("undo").onclick = history.undo;
  find("download").onclick = () => {
    const { model, version } = store.state.network;
    const recipe = `knobs turned by hand in the page, on model ${model}, version ${version}`;
    const href = URL.createObjectURL(packNetwork(current(), { recipe }));
    element("a", { href, download: find("file").textContent }).click();
    URL.revokeObjectURL(href);
  };

  store.watch(["network", "networkProblem"], () => {
    const { network, networkProblem, model } = store.state;
    find("body").hidden = !network;
    find("missing").textContent = network ? "" : networkProblem || "The weights are on their way.";
    const count = network?.layers.reduce((sum, { weights, biases }) => sum + weights.length + biases.length, 0);
    if (network) find("count").textContent = `all ${count.toLocaleString("en")} of them`;
    find("file").textContent = `${model}-turned.npz`;
  });
  store.watch(["network"], history.clear);
  store.watch(["altered"], () => {
    const { altered } = store.state;
    root.classList.toggle("is-altered", altered);
    find("back").hidden = !altered;
    find("state").textContent = altered
      ? "This page now answers with your network, not the server's."
      : "The server's network answers. Turn a knob, and yours does.";
  });
}
