/** Paints the weights of a neuron that looks at the image. */

import { createWeightsGrid } from "../inspect/weights.js";
import { signed } from "../watch/numbers.js";
import { beginStroke } from "./brush.js";

const KINDS = [
  ["+1", "+ for"],
  ["-1", "\u2212 against"],
  ["0", "0 erase"],
];

/**
 * Make the grid and its brush. `onPaint` is called with [pixel, weight] pairs, `onEnd` at the end of
 * a stroke. Returns {element, show(weights, scale)}.
 */
export function createPainting([rows, columns], { onPaint, onEnd }) {
  const element = document.createElement("div");
  element.className = "painting";
  element.innerHTML = `
    <p class="note">Paint on the weights, with the pointer or by arrow keys and Space: ink where they are
      positive speaks for the neuron, where they are negative (with a stripe) against it.</p>
    <div class="row">
      <div class="segments" role="group" aria-label="The brush makes weights"></div>
      <label><input type="checkbox" checked> wide</label>
    </div>
    <label class="slider"><span>Strength</span>
      <input type="range" min="0.1" max="3" step="0.1" value="0.5"><output>0.5</output></label>
    <p class="note painting-weight"></p>`;
  const [segments, wide, strength, output, told] = [".segments", "[type=checkbox]", "[type=range]", "output", ".painting-weight"].map(
    (selector) => element.querySelector(selector),
  );
  let kind = KINDS[0][0];
  let weights = [];
  let pointed = -1;
  let stroke = null;

  const buttons = KINDS.map(([value, text]) => {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: text, className: "small", value });
    button.addEventListener("click", () => choose(value));
    return button;
  });
  segments.append(...buttons);

  function choose(value) {
    kind = value;
    for (const button of buttons) button.setAttribute("aria-pressed", button.value === kind);
  }

  function begin() {
    stroke = beginStroke(weights, {
      rows,
      columns,
      radius: wide.checked ? 1 : 0,
      amount: Number(kind) * strength.valueAsNumber,
      erases: kind === "0",
    });
  }

  function end() {
    if (!stroke) return;
    stroke = null;
    onEnd();
  }

  function paint(cells) {
    if (!stroke) begin();
    const changes = stroke(cells);
    if (changes.length) onPaint(changes);
  }

  function tell() {
    told.textContent =
      pointed < 0
        ? `${rows} rows of ${columns} weights`
        : `Row ${Math.floor(pointed / columns)}, column ${pointed % columns}: weight ${signed(weights[pointed], 3)}`;
  }

  const grid = createWeightsGrid({
    rows,
    columns,
    label: "The neuron's weights as an image; arrow keys move, Space paints",
    onPoint(cell) {
      pointed = cell;
      tell();
    },
    onPaint: paint,
  });
  for (const type of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) {
    grid.canvas.addEventListener(type, end);
  }
  grid.canvas.addEventListener("keydown", (event) => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    if (pointed >= 0) paint([pointed]);
    end();
  });
  strength.addEventListener("input", () => {
    output.textContent = strength.value;
  });
  element.insertBefore(grid.canvas, told);
  choose(kind);

  return {
    element,
    show(shown, scale) {
      weights = shown;
      grid.draw(weights, scale);
      tell();
    },
  };
}
