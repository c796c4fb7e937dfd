/** Knobs of the whole network: where to start, noise, biases, activation functions. */

import { report } from "../connection.js";
import { element } from "../elements.js";
import { ACTIVATION_NAMES } from "../network.js";
import { fetchUnzipped, fitsSheet } from "../sheet/sheet.js";
import { layerName } from "../watch/words.js";
import { alter, handmade, randomized, withNoise, zeroed } from "./altering.js";

export function start({ store, find, history, current }) {
  const [noise, seed, squishes] = ["noise", "seed", "squishes"].map(find);
  const starts = [...find("starts").children];
  // What networks were made of: {from, strength} of noise, {start} of what the buttons bring.
  const origins = new WeakMap();
  const originOf = (network) => origins.get(network) ?? {};
  const readSeed = () => Math.trunc(Math.abs(seed.valueAsNumber)) || 0;

  const makers = {
    trained: () => null,
    handmade: async () => handmade(store.state.network, await fetchUnzipped("/static/data/handmade.bin")),
    random: () => randomized(store.state.network, readSeed()),
    zero: () => zeroed(store.state.network),
  };

  async function begin(name) {
    const network = store.state.network;
    try {
      const altered = await makers[name]();
      if (store.state.network !== network) return;
      if (altered) origins.set(altered, { start: name });
      history.turn(altered);
    } catch (error) {
      report(store, error);
    }
  }

  function addNoise(hold) {
    const from = originOf(current()).from ?? current();
    const strength = noise.valueAsNumber;
    const altered = strength ? withNoise(from, strength, readSeed()) : from;
    if (strength) origins.set(altered, { from, strength });
    history.turn(altered === store.state.network ? null : altered, hold);
  }

  for (const button of starts) button.addEventListener("click", () => begin(button.value));
  noise.addEventListener("input", () => addNoise(true));
  noise.addEventListener("change", history.release);
  seed.addEventListener("change", () => {
    const origin = originOf(current());
    if (origin.strength) addNoise(false);
    else if (origin.start === "random") begin("random");
  });
  find("drop").addEventListener("click", () => history.turn(alter(current(), ({ biases }) => biases.fill(0))));

  function createSquish(network, k) {
    const select = element("select", {}, ...ACTIVATION_NAMES.map((name) => new Option(name)));
    select.addEventListener("change", () => {
      history.turn(alter(current(), (layer) => (layer.activation = select.value), [k]));
    });
    return element("label", { className: "knobs-pair" }, layerName(k, network.layers.length), select);
  }

  store.watch(["network", "altered"], () => {
    const network = current();
    if (!network) return;
    const { layers } = network;
    if (squishes.children.length !== layers.length) {
      squishes.replaceChildren(...layers.map((_, k) => createSquish(network, k)));
    }
    squishes.querySelectorAll("select").forEach((select, k) => (select.value = layers[k].activation));
    noise.value = originOf(network).strength ?? 0;
    find("noise-value").textContent = `${Math.round(100 * noise.valueAsNumber)}%`;
    find("drop").disabled = layers.every(({ biases }) => biases.every((bias) => bias === 0));
    const name = store.state.altered ? originOf(network).start : "trained";
    for (const button of starts) button.ariaPressed = button.value === name;
    starts.find((button) => button.value === "handmade").disabled = !fitsSheet(store.state.network);
  });
}
