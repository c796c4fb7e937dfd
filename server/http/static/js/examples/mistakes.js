/** Lists the test images that the network gets wrong, as buttons that show them. */

import { element } from "../elements.js";
import { paintPixels } from "../picture.js";
import { EVERY, SHAPE } from "../sheet/sheet.js";
import { createConfusion } from "./confusion.js";

/** So many pictures at first, and more with each press of the button. */
const BATCH = 30;

export function startMistakes({ store, find, show }) {
  const [list, more] = ["wrong", "more"].map(find);
  let mistakes = [];
  let count = BATCH;

  function pictureOf({ k, label, read }) {
    const canvas = element("canvas", { className: "picture" });
    paintPixels(canvas, store.state.sheet.images[k], SHAPE);
    const ariaLabel = `Test image ${EVERY * k}, a ${label} read as ${read}`;
    return element("button", { ariaLabel, onclick: () => show(k) }, canvas, `${label} \u2192 ${read}`);
  }

  function showList() {
    list.replaceChildren(...mistakes.slice(0, count).map(pictureOf));
    more.hidden = mistakes.length <= count;
    find("summary").textContent = `${mistakes.length} of 1,000. Below each, what it is and what it is read as.`;
  }

  more.onclick = () => {
    count += BATCH;
    showList();
    list.children[count - BATCH].focus();
  };
  store.watch(["readings"], () => {
    const { sheet, readings } = store.state;
    if (!readings) return;
    const all = sheet.labels.map((label, k) => ({ k, label, read: readings.labels[k] }));
    mistakes = all.filter(({ label, read }) => label !== read);
    find("confusion").replaceChildren(createConfusion(all, readings.network.labelNames));
    showList();
  });
}
