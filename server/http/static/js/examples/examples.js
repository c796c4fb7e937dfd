/** Shows test images: of a chosen digit, and those that the network gets wrong. */

import { element } from "../elements.js";
import { uniforms } from "../knobs/random.js";
import { start as startReadings } from "../sheet/readings.js";
import { EVERY, fitsSheet, loadWhenSeen, NO_SHEET } from "../sheet/sheet.js";
import { start as startMistakes } from "./mistakes.js";

/** Of the order in which "Any" shows images, always the same. */
const SEED = 1;

export function start({ store, root }) {
  const find = (name) => root.querySelector(`#examples-${name}`);
  const next = uniforms(SEED);
  let shown = { k: -1, loaded: null };

  /** Make one of the sheet's images the drawing. */
  function show(k) {
    const loaded = { pixels: store.get("sheet").pixelsAt(k), name: `test image ${EVERY * k}` };
    shown = { k, loaded };
    store.set({ loaded, pixels: loaded.pixels });
  }

  function showNext(label) {
    const { labels } = store.get("sheet");
    const later = labels.indexOf(label, shown.k + 1);
    show(later >= 0 ? later : labels.indexOf(label));
  }

  function createButton(text, onclick) {
    return element("button", { type: "button", ariaLabel: `Show ${text === "Any" ? "any digit" : `a ${text}`}`, onclick }, text);
  }

  const digits = Array.from({ length: 10 }, (_, label) => createButton(String(label), () => showNext(label)));
  const any = createButton("Any", () => show(Math.floor(next() * store.get("sheet").length)));
  find("digits").append(...digits, any);
  loadWhenSeen(store, root);
  startReadings(store);
  startMistakes({ store, find, show });

  store.watch(["network"], () => {
    const network = store.get("network");
    const fits = Boolean(network) && fitsSheet(network);
    find("body").hidden = !fits;
    find("missing").hidden = fits || !network;
    find("missing").textContent = NO_SHEET;
  });
  store.watch(["loaded", "readings", "sheet"], () => {
    const sheet = store.get("sheet");
    for (const button of [...digits, any]) button.disabled = !sheet;
    const isShown = shown.loaded && store.get("loaded") === shown.loaded;
    const label = isShown ? sheet.labels[shown.k] : -1;
    digits.forEach((button, digit) => (button.ariaPressed = digit === label));
    find("shown").textContent = isShown ? describe(label, store.get("readings")?.labels[shown.k]) : "";
  });

  function describe(label, read) {
    const verdict = read === label ? ", and read as one" : `, but read as a ${read}`;
    return `Test image ${(EVERY * shown.k).toLocaleString("en")} is a ${label}${read === undefined ? "" : verdict}.`;
  }
}
