/** Knobs of the whole network: where to start, noise, biases, activation functions. */

import { report } from "../connection.js";
import { element } from "../elements.js";
import { ACTIVATION_NAMES } from "../network.js";
import { fetchUnzipped, fitsSheet } from "../sheet/sheet.js";
import { layerName } from "../watch/words.js";
import { alter, handmade, randomized, withNoise, withoutBiases, zeroed } from "./altering.js";

export function startWhole({ store, find, history, current }) {
  const [noise, seed, squishes, drop] = ["noise", "seed", "squishes", "drop"].map(find);
  const starts = [...find("starts").children];
  // What networks were made of: {from, strength} of noise, {start} of what the buttons bring.
  const origins = new WeakMap();
  const originOf = (network) => origins.get(network) ?? {};
  const readSeed = () => Math.trunc(Math.abs(seed.valueAsNumber)) || 0;

  const makers = {
    trained: () => null,
    handmade: async (network) =>
      handmade(network, new Float32Array(await fetchUnzipped("/static/data/handmade.bin"))),
    random: (network) => randomized(network, readSeed()),
    zero: zeroed,
  };

  async function begin(start) {
    const { network } = store.state;
    try {
      const altered = await makers[start](network);
      if (store.state.network !== network) return;
      if (altered) origins.set(altered, { start });
      history.turn(altered);
    } catch (error) {
      report(store, error);
    }
  }

  function addNoise() {
    const from = originOf(current()).from ?? current();
    const strength = noise.valueAsNumber;
    const altered = strength ? withNoise(from, strength, readSeed()) : from;
    if (strength) origins.set(altered, { from, strength });
    history.turn(altered === store.state.network ? null : altered);
  }

  for (const button of starts) button.onclick = () => begin(button.value);
  noise.oninput = addNoise;
  seed.onchange = () => {
    const { start, strength } = originOf(current());
    if (strength) addNoise();
    else if (start === "random") begin(start);
  };
  drop.onclick = () => history.turn(withoutBiases(current()));

  function createSquish(name, k) {
    const select = element("select", {}, ...ACTIVATION_NAMES.map((each) => new Option(each)));
    select.onchange = () => history.turn(alter(current(), (layer) => (layer.activation = select.value), [k]));
    return element("label", { className: "knobs-pair" }, name, select);
  }

  store.watch(["network", "altered"], () => {
    const network = current();
    if (!network) return;
    const { length } = network.layers;
    if (squishes.children.length !== length) {
      squishes.replaceChildren(...network.layers.map((_, k) => createSquish(layerName(k, length), k)));
    }
    network.layers.forEach(({ activation }, k) => (squishes.children[k].lastChild.value = activation));
    noise.value = originOf(network).strength ?? 0;
    noise.nextElementSibling.textContent = `${Math.round(100 * noise.valueAsNumber)}%`;
    drop.disabled = !network.layers.some(({ biases }) => biases.some(Boolean));
    const start = store.state.altered ? originOf(network).start : "trained";
    for (const button of starts) {
      button.ariaPressed = button.value === start;
      button.disabled = button.value === "handmade" && !fitsSheet(store.state.network);
    }
  });
}
