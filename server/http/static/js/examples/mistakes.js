/** Lists the test images that the network gets wrong, as buttons that show them. */

import { COLUMNS, EVERY, ROWS } from "../sheet/sheet.js";
import { createConfusion } from "./confusion.js";

/** So many pictures at first, and more with each press of the button. */
const BATCH = 36;

/** The images that are read wrong, as {k, label, read}: places on the sheet, what they are and are taken for. */
export function findMistakes(labels, readings) {
  const found = [];
  labels.forEach((label, k) => {
    if (readings[k] !== label) found.push({ k, label, read: readings[k] });
  });
  return found;
}

/** Draw bytes of white ink on a canvas that has a pixel for each. */
function drawImage(canvas, bytes) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  bytes.forEach((byte, k) => image.data.set([byte, byte, byte, 255], 4 * k));
  context.putImageData(image, 0, 0);
}

/** A button with an image and a caption, which `tell` changes. */
function createPicture(bytes, onClick) {
  const button = document.createElement("button");
  const canvas = document.createElement("canvas");
  const caption = document.createElement("span");
  button.type = "button";
  Object.assign(canvas, { width: COLUMNS, height: ROWS, className: "picture" });
  drawImage(canvas, bytes);
  button.append(canvas, caption);
  button.addEventListener("click", onClick);
  return {
    button,
    tell({ k, label, read }) {
      caption.textContent = `${label} \u2192 ${read}`;
      button.setAttribute("aria-label", `Test image ${EVERY * k}, a ${label} read as ${read}`);
      button.dataset.image = EVERY * k;
    },
  };
}

export function start({ store, find, show }) {
  const pictures = new Map();
  let mistakes = [];
  let only = null;
  let count = BATCH;

  function pictureOf(mistake) {
    const { k } = mistake;
    if (!pictures.has(k)) pictures.set(k, createPicture(store.get("sheet").imageAt(k), () => show(k)));
    pictures.get(k).tell(mistake);
    return pictures.get(k).button;
  }

  function showList() {
    const listed = only ? mistakes.filter(({ label, read }) => label === only.label && read === only.read) : mistakes;
    find("wrong").replaceChildren(...listed.slice(0, count).map(pictureOf));
    find("more").hidden = listed.length <= count;
    const all = `${mistakes.length} of ${store.get("sheet").length}`;
    find("summary").textContent = only
      ? `${all}. Shown: ${listed.length} times a ${only.label} is read as ${only.read}.`
      : `${all}. Below each: what it is, and what it is read as.`;
  }

  const confusion = createConfusion((chosen) => {
    [only, count] = [chosen, BATCH];
    showList();
  });
  find("confusion").append(confusion.table);
  find("more").addEventListener("click", () => {
    const first = count;
    count += BATCH;
    showList();
    find("wrong").children[first].focus();
  });

  store.watch(["sheet", "readings"], () => {
    const [sheet, readings] = [store.get("sheet"), store.get("readings")];
    if (!sheet || !readings) return;
    mistakes = findMistakes(sheet.labels, readings.labels);
    confusion.show(sheet.labels, readings.labels, readings.network.labelNames);
    showList();
  });
}
