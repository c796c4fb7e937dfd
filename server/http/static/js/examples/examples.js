/** Shows test images: of a chosen digit, and those that the network gets wrong. */

import { start as startReadings } from "../sheet/readings.js";
import { EVERY, fitsSheet, loadWhenSeen, NO_SHEET } from "../sheet/sheet.js";
import { uniforms } from "../knobs/random.js";
import { start as startMistakes } from "./mistakes.js";

/** Which images "Any" shows; always the same ones, in the same order. */
const SEED = 1;

export function start({ store, root }) {
  const find = (id) => root.querySelector(`#examples-${id}`);
  const next = uniforms(SEED);
  let shown = null;

  /** Make one of the sheet's images the drawing. */
  function show(k) {
    const sheet = store.get("sheet");
    const loaded = { pixels: sheet.pixelsAt(k), name: `test image ${EVERY * k}` };
    shown = { k, loaded };
    store.set({ loaded, pixels: loaded.pixels });
  }

  function showNext(label) {
    const { labels, length } = store.get("sheet");
    const from = shown?.k ?? -1;
    for (let step = 1; step <= length; step += 1) {
      const k = (from + step) % length;
      if (labels[k] === label) return show(k);
    }
  }

  function createButton(text, name, onClick) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: text });
    if (name) button.setAttribute("aria-label", name);
    button.addEventListener("click", onClick);
    return button;
  }

  const digits = Array.from({ length: 10 }, (_, k) => createButton(String(k), `Show a ${k}`, () => showNext(k)));
  const any = createButton("Any", "Show any digit", () => show(Math.floor(next() * store.get("sheet").length)));
  find("digits").append(...digits, any);
  loadWhenSeen(store, root);
  startReadings(store);
  startMistakes({ store, find, show });

  store.watch(["network"], () => {
    const network = store.get("network");
    const fits = Boolean(network && fitsSheet(network));
    find("body").hidden = !fits;
    find("missing").hidden = !network || fits;
    find("missing").textContent = NO_SHEET;
  });
  store.watch(["sheet"], () => {
    for (const button of [...digits, any]) button.disabled = !store.get("sheet");
  });
  store.watch(["loaded", "readings", "sheet"], () => {
    const isShown = shown && store.get("loaded") === shown.loaded;
    for (const [digit, button] of digits.entries()) {
      button.setAttribute("aria-pressed", Boolean(isShown) && store.get("sheet").labels[shown.k] === digit);
    }
    find("shown").textContent = isShown ? describe(shown.k) : "";
  });

  function describe(k) {
    const { labels } = store.get("sheet");
    const read = store.get("readings")?.labels[k];
    const verdict = read === undefined ? "" : read === labels[k] ? ", and is read as one" : `, but is read as ${read}`;
    return `Test image ${(EVERY * k).toLocaleString("en")} is a ${labels[k]}${verdict}.`;
  }
}
