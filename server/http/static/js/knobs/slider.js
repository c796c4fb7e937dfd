/** A slider and the same number to type: one knob. */

/** A number as it is typed: a few digits, no exponent. */
function typed(number) {
  return String(Number(number.toFixed(4)));
}

/**
 * Make a knob with a name, from -reach to reach; `onTurn` is called with each new number, `onEnd` once
 * it is let go. Returns {element, show(number, reach)}.
 */
export function createKnob(name, { onTurn, onEnd }) {
  const element = document.createElement("div");
  element.className = "knob";
  const label = document.createElement("label");
  const text = document.createElement("span");
  const range = document.createElement("input");
  const number = document.createElement("input");
  text.textContent = name;
  Object.assign(range, { type: "range", step: "any" });
  Object.assign(number, { type: "number", step: "any" });
  number.setAttribute("aria-label", `${name}, as a number`);
  label.append(text, range);
  element.append(label, number);

  range.addEventListener("input", () => onTurn(range.valueAsNumber));
  range.addEventListener("change", onEnd);
  number.addEventListener("change", () => {
    if (Number.isFinite(number.valueAsNumber)) onTurn(number.valueAsNumber);
    onEnd();
  });

  return {
    element,
    show(value, reach) {
      const far = Math.max(reach, Math.abs(value));
      Object.assign(range, { min: -far, max: far, value });
      range.setAttribute("aria-valuetext", typed(value));
      number.value = typed(value);
      element.classList.toggle("is-negative", value < 0);
    },
  };
}
