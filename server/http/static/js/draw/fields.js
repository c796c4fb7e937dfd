/** Sliders and number fields for networks whose inputs are not an image. */

import { byId, element } from "../elements.js";
import { endsOf } from "../picture.js";
import { sliderEnds } from "./range.js";

const STEPS = 1000;
const MAX_FLOAT32 = 3.4028234e38;

/** Show an input's slider and field each; returns {show(network), load({pixels})}. */
export function startFields(store) {
  const { fieldList, fieldsHint, fieldsReset } = byId;
  let rows = [];
  let numbers = new Float32Array();

  function publish(changed) {
    numbers = changed;
    store.set({ pixels: numbers });
  }

  function put(changed) {
    publish(Float32Array.from(changed));
    rows.forEach(({ field, slider }, at) => (field.value = slider.value = Number(numbers[at].toPrecision(7))));
  }

  function rowOf(at, [low, high], [min, max]) {
    const [id, name] = [`field-${at}`, `Input ${at + 1}`];
    const field = element("input", { type: "number", id, step: "any", min, max });
    const slider = element("input", { type: "range", min: low, max: high, step: (high - low) / STEPS });
    slider.ariaLabel = `${name}, slider`;
    slider.oninput = field.oninput = ({ target }) => {
      // What the server would refuse is marked by the browser, and not sent.
      if (target.value === "" || !target.checkValidity()) return;
      (target === field ? slider : field).value = target.value;
      publish(numbers.with(at, target.value));
    };
    return { row: element("label", { className: "slider", htmlFor: id }, name, slider, field), slider, field };
  }

  return {
    /** Take numbers for another network; those that are set stay if it takes them. */
    show({ inputs, inputRange }) {
      const [low, high] = sliderEnds(inputRange);
      const ends = endsOf(inputRange);
      const [min, max] = ends ?? [-MAX_FLOAT32, MAX_FLOAT32];
      const begin = new Float32Array(inputs).fill(low > 0 || high < 0 ? low : 0);
      fieldsHint.textContent =
        `The network has ${inputs} input${inputs === 1 ? "" : "s"}, each ` +
        (ends ? `a number from ${min} to ${max}.` : `any number; the sliders reach from ${low} to ${high}.`);
      rows = Array.from(begin, (_, at) => rowOf(at, [low, high], [min, max]));
      fieldList.replaceChildren(...rows.map(({ row }) => row));
      fieldsReset.onclick = () => put(begin);
      put(numbers.length === inputs && numbers.every((x) => min <= x && x <= max) ? numbers : begin);
    },

    load({ pixels }) {
      if (pixels.length === rows.length) put(pixels);
    },
  };
}
