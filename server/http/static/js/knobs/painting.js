/** Paints the weights of a neuron that looks at the image, with a soft brush. */

import { createSlider, element, startChoice } from "../elements.js";
import { createWeightsGrid } from "../inspect/weights.js";
import { inputName } from "../watch/words.js";

const KINDS = [
  [1, "+ for"],
  [-1, "\u2212 against"],
  [0, "0 erase"],
];
const HINT =
  "Paint on its weights, with the pointer, or with arrow keys and Space. Ink speaks for the neuron where they are positive, " +
  "against it where they are negative, with a stripe.";

/** Make the grid and its brush; `onPaint` is called with all weights. Returns {root, show(weights, scale)}. */
export function createPainting(shape, onPaint) {
  const [rows, columns] = shape;
  let kind = 1;
  const strength = createSlider("Strength", { min: 0.1, max: 3, step: 0.1 }, showStrength);
  const wide = element("input", { type: "checkbox", checked: true });
  const told = element("p", { className: "note" });
  const buttons = KINDS.map(([value, text]) =>
    element("button", { className: "small", value, ariaPressed: value === kind }, text),
  );
  const choice = element("div", { className: "segments", role: "group", ariaLabel: "Paint" }, ...buttons);
  let weights = [];
  let pointed = -1;
  /** The weights where a stroke began, and the share by which it has changed each. */
  let stroke = null;

  function showStrength(number) {
    strength.show(number, number);
  }

  /** The share of the strength that a cell gets beside the middle of the brush. */
  function shareOf(cell, middle) {
    const down = Math.abs(Math.floor(cell / columns) - Math.floor(middle / columns));
    const right = Math.abs((cell % columns) - (middle % columns));
    return Math.max(down, right) <= wide.checked ? 1 / 2 ** (down + right) : 0;
  }

  /** However often a stroke crosses a cell, it adds its strength once. */
  function paint(cells) {
    stroke ??= { before: weights, shares: weights.map(() => 0) };
    const { before, shares } = stroke;
    if (cells.every((cell) => shares[cell] === 1)) return;
    shares.forEach((share, cell) => (shares[cell] = Math.max(share, ...cells.map((middle) => shareOf(cell, middle)))));
    const added = kind * strength.input.valueAsNumber;
    onPaint(before.map((weight, cell) => (kind ? weight + added * shares[cell] : weight * (1 - shares[cell]))));
  }

  function point(cell) {
    pointed = cell;
    told.textContent = cell < 0 ? "" : `${inputName(cell, shape)}: weight ${weights[cell].toFixed(3)}`;
  }

  const label = "The neuron's weights as an image; arrow keys move, Space paints";
  const { canvas, draw } = createWeightsGrid({ rows, columns, label, onPoint: point, onPaint: paint });
  canvas.id = "knobs-painting";
  canvas.onlostpointercapture = () => (stroke = null);
  canvas.addEventListener("keydown", (event) => {
    if (event.key !== " ") return;
    event.preventDefault();
    if (pointed >= 0) paint([pointed]);
    stroke = null;
  });
  startChoice(choice, (value) => (kind = Number(value)));
  showStrength(0.5);

  const tools = [
    element("p", { className: "note" }, HINT),
    choice,
    strength.root,
    element("label", {}, wide, "wide brush"),
    told,
  ];
  return {
    root: element("div", { className: "painting" }, canvas, element("div", { className: "stack" }, ...tools)),
    show(shown, scale) {
      weights = shown;
      draw(weights, scale);
      point(pointed);
    },
  };
}
