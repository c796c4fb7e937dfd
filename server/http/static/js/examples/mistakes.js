/** Lists the test images that the network gets wrong, as buttons that show them. */

import { element } from "../elements.js";
import { paintPixels } from "../picture.js";
import { COLUMNS, EVERY, ROWS } from "../sheet/sheet.js";
import { createConfusion } from "./confusion.js";

/** So many pictures at first, and more with each press of the button. */
const BATCH = 30;

export function start({ store, find, show }) {
  const pictures = new Map();
  let mistakes = [];
  let count = BATCH;

  /** A button with an image and a caption: its place on the sheet, what it is, what it is read as. */
  function pictureOf({ k, label, read }) {
    if (!pictures.has(k)) {
      const canvas = element("canvas", { className: "picture" });
      paintPixels(canvas, store.state.sheet.pixelsAt(k), [ROWS, COLUMNS]);
      pictures.set(k, element("button", { type: "button", onclick: () => show(k) }, canvas, element("span")));
    }
    const button = pictures.get(k);
    button.lastChild.textContent = `${label} \u2192 ${read}`;
    button.ariaLabel = `Test image ${EVERY * k}, a ${label} read as ${read}`;
    return button;
  }

  function showList() {
    find("wrong").replaceChildren(...mistakes.slice(0, count).map(pictureOf));
    find("more").hidden = mistakes.length <= count;
    find("summary").textContent = `${mistakes.length} of 1,000. Below each, what it is and what it is read as.`;
  }

  find("more").addEventListener("click", () => {
    count += BATCH;
    showList();
    find("wrong").children[count - BATCH].focus();
  });
  store.watch(["sheet", "readings"], () => {
    const { sheet, readings } = store.state;
    if (!sheet || !readings) return;
    const all = Array.from(sheet.labels, (label, k) => ({ k, label, read: readings.labels[k] }));
    mistakes = all.filter(({ label, read }) => label !== read);
    find("confusion").replaceChildren(createConfusion(all, readings.network.labelNames));
    showList();
  });
}
