/** Knobs of the whole network: where to start, noise, biases, activation functions. */

import { report } from "../connection.js";
import { element } from "../elements.js";
import { ACTIVATION_NAMES, Network } from "../network.js";
import { fetchUnzipped, fitsSheet } from "../sheet/sheet.js";
import { layerName } from "../watch/words.js";
import { alter, randomized, withNoise, withoutBiases, zeroed } from "./altering.js";

async function loadHandmade(network) {
  const json = await fetchUnzipped("/static/data/handmade.bin").then((response) => response.json());
  return new Network(Network.fromJson(json).layers, network);
}

/** An altered network says what it was made of: `from` which with what `strength` of noise, or by which `start`. */
export function startWhole({ store, find, turn, current }) {
  const [noise, seed, squishes, drop] = ["noise", "seed", "squishes", "drop"].map(find);
  const starts = [...find("starts").children];
  const makers = {
    trained: () => null,
    handmade: loadHandmade,
    random: (network) => randomized(network, seed.valueAsNumber),
    zero: zeroed,
  };

  async function begin(start) {
    const { network } = store.state;
    try {
      const altered = await makers[start](network);
      if (store.state.network === network) turn(altered && Object.assign(altered, { start }));
    } catch (error) {
      report(store, error);
    }
  }

  function addNoise() {
    const { from = current() } = current();
    const strength = noise.valueAsNumber;
    const noisy = Object.assign(withNoise(from, strength, seed.valueAsNumber), { from, strength });
    turn(strength ? noisy : from === store.state.network ? null : from);
  }

  for (const button of starts) button.onclick = () => begin(button.value);
  noise.oninput = addNoise;
  seed.onchange = () => {
    const { start, strength } = current();
    if (strength) addNoise();
    else if (start === "random") begin(start);
  };
  drop.onclick = () => turn(withoutBiases(current()));

  function createSquish(name, k) {
    const select = element("select", {}, ...ACTIVATION_NAMES.map((each) => new Option(each)));
    select.onchange = () => turn(alter(current(), (layer) => (layer.activation = select.value), [k]));
    return element("label", { className: "knobs-pair" }, name, select);
  }

  store.watch(["network", "altered"], () => {
    if (!current()) return;
    const { layers, strength = 0, start } = current();
    if (squishes.children.length !== layers.length) {
      squishes.replaceChildren(...layers.map((_, k) => createSquish(layerName(k, layers.length), k)));
    }
    layers.forEach(({ activation }, k) => (squishes.children[k].lastChild.value = activation));
    noise.value = strength;
    noise.nextElementSibling.textContent = `${Math.round(100 * strength)}%`;
    drop.disabled = !layers.some(({ biases }) => biases.some(Boolean));
    for (const button of starts) {
      button.ariaPressed = button.value === (store.state.altered ? start : "trained");
      button.disabled = button.value === "handmade" && !fitsSheet(store.state.network);
    }
  });
}
