/** Paints the weights of a neuron that looks at the image. */

import { element } from "../elements.js";
import { createWeightsGrid } from "../inspect/weights.js";
import { beginStroke } from "./brush.js";

const KINDS = [
  [1, "+ for"],
  [-1, "\u2212 against"],
  [0, "0 erase"],
];

/**
 * Make the grid and its brush. `onPaint` is called with [pixel, weight] pairs, `onEnd` at the end of
 * a stroke. Returns {root, show(weights, scale)}.
 */
export function createPainting([rows, columns], onPaint, onEnd) {
  const strength = element("input", { type: "range", min: 0.1, max: 3, step: 0.1, value: 0.5 });
  const output = element("output", {}, "0.5");
  const wide = element("input", { type: "checkbox", checked: true });
  const told = element("p", { className: "note" });
  let kind = 1;
  let weights = [];
  let pointed = -1;
  let stroke = null;

  const buttons = KINDS.map(([value, text]) =>
    element("button", { type: "button", className: "small", ariaPressed: value === kind, onclick: () => choose(value) }, text),
  );

  function choose(value) {
    kind = value;
    KINDS.forEach(([each], k) => (buttons[k].ariaPressed = each === kind));
  }

  function paint(cells) {
    const amount = kind * strength.valueAsNumber;
    stroke ??= beginStroke(weights, { rows, columns, radius: wide.checked ? 1 : 0, amount });
    const changes = stroke(cells);
    if (changes.length) onPaint(changes);
  }

  function end() {
    if (stroke) onEnd();
    stroke = null;
  }

  function tell() {
    const place = `Row ${Math.floor(pointed / columns)}, column ${pointed % columns}`;
    told.textContent = pointed < 0 ? "" : `${place}: weight ${weights[pointed].toFixed(3)}`;
  }

  const { canvas, draw } = createWeightsGrid({
    rows,
    columns,
    label: "The neuron's weights as an image; arrow keys move, Space paints",
    onPoint(cell) {
      pointed = cell;
      tell();
    },
    onPaint: paint,
  });
  canvas.id = "knobs-painting";
  for (const type of ["pointerup", "pointercancel", "blur"]) canvas.addEventListener(type, end);
  canvas.addEventListener("keydown", (event) => {
    if (event.key !== " ") return;
    event.preventDefault();
    if (pointed >= 0) paint([pointed]);
    end();
  });
  strength.addEventListener("input", () => (output.textContent = strength.value));

  const hint =
    "Paint on its weights, by pointer, or by arrow keys and Space. Ink speaks for the neuron where they " +
    "are positive, and against it where they are negative, which have a stripe.";
  const tools = element(
    "div",
    { className: "stack" },
    element("p", { className: "note" }, hint),
    element("div", { className: "segments", role: "group", ariaLabel: "Paint" }, ...buttons),
    element("label", { className: "slider" }, "Strength", strength, output),
    element("label", {}, wide, "wide brush"),
    told,
  );
  return {
    root: element("div", { className: "painting" }, canvas, tools),
    show(shown, scale) {
      weights = shown;
      draw(weights, scale);
      tell();
    },
  };
}
