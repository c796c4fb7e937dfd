/** Sliders that shift, scale, squeeze, turn, thicken, invert and disturb a drawing. */

import { element } from "../elements.js";
import { UNCHANGED } from "./drawing.js";

const signed = (x) => `${x > 0 ? "+" : ""}${Number(x.toFixed(2))}`;
const pixels = (x) => `${signed(x)} px`;
const times = (x) => `${x.toFixed(2)}×`;

/** The sliders of an image of rows x columns: key, label, lowest, highest, step, and what to say. */
function slidersOf([rows, columns]) {
  const thick = Math.max(rows, columns) / 14;
  return [
    ["right", "Shift right", -columns / 2, columns / 2, 0.5, pixels],
    ["down", "Shift down", -rows / 2, rows / 2, 0.5, pixels],
    ["scale", "Scale", 0.5, 1.5, 0.05, times],
    ["width", "Squeeze", 0.4, 1.6, 0.05, times],
    ["degrees", "Rotate", -180, 180, 1, (x) => `${signed(x)}°`],
    ["thickness", "Thicken", -thick, thick, thick / 10, pixels],
    ["noise", "Noise", 0, 0.5, 0.01, (x) => `±${x.toFixed(2)}`],
  ];
}

/** Fill `root` with the sliders of a shape; calls `onChange(adjustments)`. Returns what puts all back. */
export function startSliders({ root, shape, onChange }) {
  const [list, invert, again, reset] = ["adjust-sliders", "invert", "noise-again", "adjust-reset"].map((id) =>
    root.querySelector(`#${id}`),
  );
  let values = UNCHANGED;
  const sliders = slidersOf(shape).map(([key, name, min, max, step, say]) => {
    const id = `adjust-${key}`;
    const input = element("input", { type: "range", id, min, max, step });
    const output = element("output", { htmlFor: id });
    input.addEventListener("input", () => set({ [key]: Number(input.value) }));
    const row = element("div", { className: "slider" }, element("label", { htmlFor: id }, name), input, output);
    return { key, row, input, output, say };
  });
  list.replaceChildren(...sliders.map(({ row }) => row));

  function set(changes) {
    values = { ...values, ...changes };
    for (const { key, input, output, say } of sliders) {
      input.value = values[key];
      output.value = say(values[key]);
      input.setAttribute("aria-valuetext", output.value);
    }
    invert.checked = values.isInverted;
    reset.disabled = Object.keys(UNCHANGED).every((key) => values[key] === UNCHANGED[key]);
    again.disabled = !values.noise;
    onChange(values);
  }

  const putBack = () => set(UNCHANGED);
  invert.onchange = () => set({ isInverted: invert.checked });
  again.onclick = () => set({ seed: values.seed + 1 });
  reset.onclick = putBack;
  putBack();
  return putBack;
}
