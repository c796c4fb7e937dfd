/** Sliders that shift, scale, squeeze, turn, thicken, invert and disturb a drawing. */

import { UNCHANGED } from "./drawing.js";

/** The sliders of an image of rows x columns: key, label, lowest, highest, step, and what to say. */
function slidersOf([rows, columns]) {
  const signed = (x, unit) => `${x > 0 ? "+" : ""}${x} ${unit}`;
  const pixels = (x) => signed(x, "px");
  const times = (x) => `${x.toFixed(2)}×`;
  const thick = Math.max(rows, columns) / 14;
  return [
    ["right", "Shift right", -columns / 2, columns / 2, 0.5, pixels],
    ["down", "Shift down", -rows / 2, rows / 2, 0.5, pixels],
    ["scale", "Scale", 0.5, 1.5, 0.05, times],
    ["width", "Squeeze", 0.4, 1.6, 0.05, times],
    ["degrees", "Rotate", -180, 180, 1, (x) => signed(x, "°").replace(" ", "")],
    ["thickness", "Thicken", -thick, thick, thick / 10, (x) => pixels(Number(x.toFixed(2)))],
    ["noise", "Noise", 0, 0.5, 0.01, (x) => `±${x.toFixed(2)}`],
  ];
}

/** Fill `root` with the sliders of a shape; calls `onChange(adjustments)`. Returns {reset}. */
export function startSliders({ root, shape, onChange }) {
  let values = UNCHANGED;
  const list = root.querySelector("#adjust-sliders");
  const [invert, again, reset] = ["invert", "noise-again", "adjust-reset"].map((id) =>
    root.querySelector(`#${id}`),
  );
  const rows = slidersOf(shape).map(([key, name, min, max, step, say]) => {
    const row = Object.assign(document.createElement("div"), { className: "slider" });
    const label = Object.assign(document.createElement("label"), { textContent: name, htmlFor: `adjust-${key}` });
    const input = document.createElement("input");
    Object.assign(input, { type: "range", id: `adjust-${key}`, min, max, step });
    const output = document.createElement("output");
    output.htmlFor.add(input.id);
    input.addEventListener("input", () => set({ [key]: Number(input.value) }));
    row.append(label, input, output);
    return { key, row, input, output, say };
  });
  list.replaceChildren(...rows.map(({ row }) => row));

  function set(changes) {
    values = { ...values, ...changes };
    for (const { key, input, output, say } of rows) {
      // Not while it is dragged: a slider may hold a value that its step rounds.
      if (Number(input.value) !== values[key]) input.value = values[key];
      output.value = say(values[key]);
      input.setAttribute("aria-valuetext", output.value);
    }
    invert.checked = values.isInverted;
    reset.disabled = Object.keys(UNCHANGED).every((key) => values[key] === UNCHANGED[key]);
    again.disabled = !values.noise;
    onChange(values);
  }

  invert.onchange = () => set({ isInverted: invert.checked });
  again.onclick = () => set({ seed: values.seed + 1 });
  reset.onclick = () => set(UNCHANGED);
  set(UNCHANGED);
  return { reset: () => set(UNCHANGED) };
}
