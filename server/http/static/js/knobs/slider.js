/** A slider and the same number to type: one knob. */

import { element } from "../elements.js";

/** A number as it is typed: a few digits, no exponent. */
const typed = (number) => String(Number(number.toFixed(4)));

/**
 * Make a knob with a name; `onTurn` is called with each new number. Returns {root, show(number, reach)}: the
 * slider goes from -reach to reach, or as far as the number.
 */
export function createKnob(name, onTurn) {
  const range = element("input", { type: "range", step: "any", ariaLabel: name });
  const number = element("input", { type: "number", step: "any", ariaLabel: `${name}, as a number` });
  const root = element("div", { className: "knob" }, name, range, number);
  range.oninput = () => onTurn(range.valueAsNumber);
  number.onchange = () => Number.isFinite(number.valueAsNumber) && onTurn(number.valueAsNumber);
  return {
    root,
    show(value, reach) {
      const far = Math.max(reach, Math.abs(value));
      Object.assign(range, { min: -far, max: far, value, ariaValueText: typed(value) });
      number.value = typed(value);
      root.classList.toggle("is-negative", value < 0);
    },
  };
}
