/** Sliders that shift, scale, squeeze, turn, thicken, invert and disturb a drawing. */

import { byId, createSlider } from "../elements.js";
import { UNCHANGED } from "./drawing.js";

const signed = (x) => `${x > 0 ? "+" : ""}${Number(x.toFixed(2))}`;
const pixels = (x) => `${signed(x)} px`;
const times = (x) => `${x.toFixed(2)}×`;

/** The sliders of an image of rows x columns: key, name, lowest, highest, step, and what to say. */
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

/** Show the sliders of a shape; calls `onChange(adjustments)`. Returns what puts all back. */
export function startSliders(shape, onChange) {
  const { invert, noiseAgain, adjustReset, adjustSliders } = byId;
  let values;
  const sliders = slidersOf(shape).map(([key, name, min, max, step, say]) => {
    const { root, show } = createSlider(name, { id: `adjust-${key}`, min, max, step }, (x) => set({ [key]: x }));
    return { root, show: () => show(values[key], say(values[key])) };
  });
  adjustSliders.replaceChildren(...sliders.map(({ root }) => root));

  function set(changes) {
    values = { ...values, ...changes };
    for (const { show } of sliders) show();
    invert.checked = values.isInverted;
    adjustReset.disabled = JSON.stringify(values) === JSON.stringify(UNCHANGED);
    noiseAgain.disabled = !values.noise;
    onChange(values);
  }

  const putBack = () => set(UNCHANGED);
  invert.onchange = () => set({ isInverted: invert.checked });
  noiseAgain.onclick = () => set({ seed: values.seed + 1 });
  adjustReset.onclick = putBack;
  putBack();
  return putBack;
}
