/** Shows test images: of a chosen digit, and those that the network gets wrong. */

import { element } from "../elements.js";
import { EVERY, fitsSheet, NO_SHEET } from "../sheet/sheet.js";
import { startMistakes } from "./mistakes.js";

/** How far "Any" goes on the sheet: it comes to all images, in an order that looks like none. */
const STRIDE = 617;

export function start({ store, root }) {
  const find = (name) => root.querySelector(`#examples-${name}`);
  let shown = { k: -1, pixels: null };

  /** Make one of the sheet's images the drawing. */
  function show(k) {
    const pixels = store.state.sheet.images[k];
    shown = { k, pixels };
    store.set({ loaded: { pixels, name: `Test image ${EVERY * k}`, isAlone: true } });
  }

  function showNext(label) {
    const { labels } = store.state.sheet;
    const later = labels.indexOf(label, shown.k + 1);
    show(later >= 0 ? later : labels.indexOf(label));
  }

  const showAny = () => show((shown.k + STRIDE) % store.state.sheet.labels.length);
  const createButton = (text, ariaLabel, onclick) => element("button", { ariaLabel, onclick }, text);
  const digits = Array.from("0123456789", (digit) => createButton(digit, `Show a ${digit}`, () => showNext(+digit)));
  const buttons = [...digits, createButton("Any", "Show any digit", showAny)];
  find("digits").append(...buttons);
  startMistakes({ store, find, show });

  store.watch(["network"], () => {
    const { network } = store.state;
    const fits = network && fitsSheet(network);
    find("body").hidden = !fits;
    find("missing").textContent = fits || !network ? "" : NO_SHEET;
  });
  store.watch(["pixels", "readings", "sheet"], () => {
    const { sheet, pixels, readings } = store.state;
    // Until somebody draws on it.
    const isShown = shown.pixels?.every((pixel, i) => pixel === pixels[i]);
    const label = isShown ? sheet.labels[shown.k] : -1;
    const read = readings?.labels[shown.k];
    const verdict = read === label ? "and read as one" : `but read as a ${read}`;
    for (const button of buttons) button.disabled = !sheet;
    digits.forEach((button, digit) => (button.ariaPressed = digit === label));
    const text = `Test image ${EVERY * shown.k} is a ${label}${readings ? `, ${verdict}` : ""}.`;
    find("shown").textContent = isShown ? text : "";
  });
}
