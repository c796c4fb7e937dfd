/** Knobs of the whole network: where to start, noise, biases, activation functions. */

import { ACTIVATION_NAMES } from "../network.js";
import { fetchUnzipped, fitsSheet } from "../sheet/sheet.js";
import { report } from "../connection.js";
import { handmade, randomized, withActivation, withNoise, withoutBiases, zeroed } from "./altering.js";
import { nameLayer } from "./names.js";

export function start({ store, find, history, current }) {
  const [noise, seed] = [find("noise"), find("seed")];
  // What a noisy network was before, and how strong its noise is.
  const noisy = new WeakMap();
  const startedFrom = new WeakMap();
  const starts = [...find("starts").children];

  const readSeed = () => Math.trunc(Math.abs(seed.valueAsNumber)) || 0;

  const origins = {
    trained: () => null,
    handmade: async () => handmade(store.get("network"), await fetchUnzipped("/static/data/handmade.bin")),
    random: () => randomized(store.get("network"), readSeed()),
    zero: () => zeroed(store.get("network")),
  };
  for (const button of starts) {
    button.addEventListener("click", async () => {
      const network = store.get("network");
      try {
        const altered = await origins[button.dataset.start]();
        if (store.get("network") !== network) return;
        if (altered) startedFrom.set(altered, button.dataset.start);
        history.turn(altered);
      } catch (error) {
        report(store, error);
      }
    });
  }

  find("drop").addEventListener("click", () => history.turn(withoutBiases(current())));

  function addNoise(hold) {
    const from = noisy.get(current())?.from ?? current();
    const strength = noise.valueAsNumber;
    const altered = strength ? withNoise(from, strength, readSeed()) : from;
    if (strength) noisy.set(altered, { from, strength });
    history.turn(altered === store.get("network") ? null : altered, { hold });
  }
  noise.addEventListener("input", () => addNoise(true));
  noise.addEventListener("change", () => history.release());
  seed.addEventListener("change", () => {
    const origin = startedFrom.get(current());
    if (noisy.has(current())) addNoise(false);
    else if (origin === "random") starts.find((button) => button.dataset.start === origin).click();
  });

  function showSquishes(network) {
    const rows = network.layers.map((layer, k) => {
      const label = document.createElement("label");
      label.className = "knobs-squish";
      const select = document.createElement("select");
      select.append(...ACTIVATION_NAMES.map((name) => new Option(name, name)));
      select.addEventListener("change", () => history.turn(withActivation(current(), k, select.value)));
      label.append(`Squish of ${nameLayer(network, k)}`, select);
      return label;
    });
    find("squishes").replaceChildren(...rows);
  }

  store.watch(["network", "altered"], () => {
    const network = current();
    if (!network) return;
    const selects = find("squishes").querySelectorAll("select");
    if (selects.length !== network.layers.length) showSquishes(network);
    find("squishes").querySelectorAll("select").forEach((select, k) => {
      select.value = network.layers[k].activation;
    });
    noise.value = noisy.get(network)?.strength ?? 0;
    find("noise-value").textContent = `${Math.round(100 * noise.valueAsNumber)}%`;
    find("drop").disabled = network.layers.every(({ biases }) => biases.every((bias) => bias === 0));
    const origin = store.get("altered") ? startedFrom.get(network) : "trained";
    for (const button of starts) button.setAttribute("aria-pressed", button.dataset.start === origin);
    const byHand = starts.find((button) => button.dataset.start === "handmade");
    byHand.disabled = !fitsSheet(store.get("network"));
    byHand.title = byHand.disabled ? "It reads 28x28 pixels as digits, and this model does not" : "";
  });
}
