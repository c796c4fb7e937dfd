/** Sliders and number fields for networks whose inputs are no image. */

import { element } from "../elements.js";
import { sliderEnds } from "./range.js";

const STEPS = 1000;
const MAX_FLOAT32 = 3.4028234e38;

/** Fill `root` with an input's slider and field each; returns {show(network), load({pixels})}. */
export function startFields({ store, root }) {
  const list = root.querySelector("#field-list");
  let rows = [];
  let numbers = [];
  let start = 0;

  const publish = () => store.set({ pixels: Float32Array.from(numbers) });

  function put(changed) {
    numbers = [...changed];
    numbers.forEach((number, at) => {
      rows[at].field.value = rows[at].slider.value = Number(number.toPrecision(7));
    });
    publish();
  }

  function change(at, from, to) {
    // What the server would refuse is marked by the browser, and not sent.
    if (from.value === "" || !from.checkValidity()) return;
    to.value = from.value;
    numbers[at] = Number(from.value);
    publish();
  }

  function rowOf(at, [low, high], [min, max]) {
    const [id, name] = [`field-${at}`, `Input ${at + 1}`];
    const field = element("input", { type: "number", id, step: "any", min, max });
    const slider = element("input", { type: "range", min: low, max: high, step: (high - low) / STEPS });
    slider.ariaLabel = `${name}, slider`;
    slider.addEventListener("input", () => change(at, slider, field));
    field.addEventListener("input", () => change(at, field, slider));
    const row = element("div", { className: "slider" }, element("label", { htmlFor: id }, name), slider, field);
    return { row, slider, field };
  }

  root.querySelector("#fields-reset").addEventListener("click", () => put(numbers.map(() => start)));

  return {
    /** Take numbers for another network; those that are set stay if it takes them. */
    show({ inputs, inputRange }) {
      const [low, high] = sliderEnds(inputRange);
      const isFinite = inputRange === "finite";
      const [min, max] = isFinite ? [-MAX_FLOAT32, MAX_FLOAT32] : [low, high];
      start = low > 0 || high < 0 ? low : 0;
      root.querySelector("#fields-hint").textContent =
        `The network has ${inputs} input${inputs === 1 ? "" : "s"}, each ` +
        (isFinite ? "any number; the sliders reach from -3 to 3." : `a number from ${low} to ${high}.`);
      rows = Array.from({ length: inputs }, (_, at) => rowOf(at, [low, high], [min, max]));
      list.replaceChildren(...rows.map(({ row }) => row));
      const isKept = numbers.length === inputs && numbers.every((x) => min <= x && x <= max);
      put(isKept ? numbers : new Array(inputs).fill(start));
    },

    load({ pixels }) {
      if (pixels.length === rows.length) put(pixels);
    },
  };
}
