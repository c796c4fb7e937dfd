/** Lists the test images that the network gets wrong, as buttons that show them. */

import { element } from "../elements.js";
import { paintPixels } from "../picture.js";
import { COLUMNS, EVERY, ROWS } from "../sheet/sheet.js";
import { createConfusion } from "./confusion.js";

/** So many pictures at first, and more with each press of the button. */
const BATCH = 36;

export function start({ store, find, show }) {
  const pictures = new Map();
  let mistakes = [];
  let only = null;
  let count = BATCH;

  /** A button with an image and a caption: its place on the sheet, what it is, what it is read as. */
  function pictureOf({ k, label, read }) {
    if (!pictures.has(k)) {
      const canvas = element("canvas", { className: "picture" });
      paintPixels(canvas, store.get("sheet").pixelsAt(k), [ROWS, COLUMNS]);
      pictures.set(k, element("button", { type: "button", onclick: () => show(k) }, canvas, element("span")));
    }
    const button = pictures.get(k);
    button.lastChild.textContent = `${label} \u2192 ${read}`;
    button.ariaLabel = `Test image ${EVERY * k}, a ${label} read as ${read}`;
    return button;
  }

  function showList() {
    const listed = only ? mistakes.filter(({ label, read }) => label === only.label && read === only.read) : mistakes;
    find("wrong").replaceChildren(...listed.slice(0, count).map(pictureOf));
    find("more").hidden = listed.length <= count;
    find("summary").textContent = only
      ? `${listed.length} of ${mistakes.length}: a ${only.label}, read as ${only.read}.`
      : `${mistakes.length} of 1,000. Below each, what it is and what it is read as.`;
  }

  const confusion = createConfusion((chosen) => {
    [only, count] = [chosen, BATCH];
    showList();
  });
  find("confusion").append(confusion.table);
  find("more").addEventListener("click", () => {
    count += BATCH;
    showList();
    find("wrong").children[count - BATCH].focus();
  });

  store.watch(["sheet", "readings"], () => {
    const [sheet, readings] = [store.get("sheet"), store.get("readings")];
    if (!sheet || !readings) return;
    mistakes = Array.from(sheet.labels, (label, k) => ({ k, label, read: readings.labels[k] }));
    confusion.show(mistakes, readings.network.labelNames);
    mistakes = mistakes.filter(({ label, read }) => label !== read);
    showList();
  });
}
