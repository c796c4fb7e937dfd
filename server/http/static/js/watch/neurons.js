/** The circles: a button for each neuron that is shown, as bright as its activation, with the number in it. */

import { neighbour } from "./layout.js";
import { short } from "./numbers.js";
import { layerName, neuronName } from "./words.js";

/** Above it black is easier to read than white. */
const BRIGHT = 0.46;

/**
 * Make the circles of a layout in `parent`. `onPoint` is called with {layer, neuron} while the
 * pointer is above one or it has the focus, otherwise with null; `onChoose` when it is pressed.
 * Layer 0 is the first one after the input. Returns {update}.
 */
export function createNeurons(parent, layout, sizes, { onPoint, onChoose }) {
  const places = [];
  const buttons = [];
  const layers = layout.layers.map((layer, index) => {
    const group = parent.appendChild(document.createElement("div"));
    group.setAttribute("role", "group");
    const circles = layer.slots.map((place) => {
      const circle = group.appendChild(document.createElement(index ? "button" : "span"));
      circle.className = "neuron";
      circle.style.left = `${place[0] - layout.diameter / 2}px`;
      circle.style.top = `${place[1] - layout.diameter / 2}px`;
      circle.style.width = circle.style.height = `${layout.diameter}px`;
      const number = circle.appendChild(document.createElement("span"));
      number.className = "value";
      if (index === 0) return circle;
      circle.type = "button";
      circle.tabIndex = buttons.length ? -1 : 0;
      buttons.push(circle);
      places.push(place);
      if (index === layout.layers.length - 1) {
        circle.classList.add("output");
        const label = circle.appendChild(document.createElement("span"));
        label.className = "label";
        if (!layout.isAcross) label.style.maxWidth = `${layer.pitch - 4}px`;
      }
      const point = () => onPoint({ layer: index - 1, neuron: Number(circle.dataset.neuron) });
      circle.addEventListener("pointerenter", point);
      circle.addEventListener("focus", point);
      circle.addEventListener("pointerleave", () => onPoint(null));
      circle.addEventListener("blur", () => onPoint(null));
      circle.addEventListener("click", () => onChoose({ layer: index - 1, neuron: Number(circle.dataset.neuron) }));
      return circle;
    });
    return { group, circles };
  });

  parent.addEventListener("keydown", (event) => {
    const from = buttons.indexOf(event.target);
    if (from < 0 || !event.key.startsWith("Arrow")) return;
    event.preventDefault();
    const next = neighbour(places, from, event.key);
    if (next < 0) return;
    for (const [index, button] of buttons.entries()) button.tabIndex = index === next ? 0 : -1;
    buttons[next].focus();
  });

  /** Show activations; `shown` are the neurons of each layer's circles, `light` how far each layer is lit. */
  function update({ activations, scales, shown, light, selection, label, labelNames, activationNames }) {
    for (const [index, { group, circles }] of layers.entries()) {
      if (!circles.length) continue;
      const name = index ? layerName(index - 1, layers.length - 1) : "Inputs";
      group.setAttribute("aria-label", [name, activationNames[index - 1]].filter(Boolean).join(", "));
      const isOutput = index === layers.length - 1;
      for (const [slot, circle] of circles.entries()) {
        const neuron = shown[index][slot];
        const value = activations ? activations[index][neuron] : null;
        const level = value === null ? 0 : light[index] * Math.min(1, Math.abs(value) / scales[index]);
        const text = value === null || light[index] === 0 ? "" : short(value);
        circle.dataset.neuron = neuron;
        circle.style.setProperty("--level", level.toFixed(3));
        circle.classList.toggle("bright", level > BRIGHT);
        circle.classList.toggle("negative", value < 0);
        circle.firstChild.textContent = text;
        if (index === 0) continue;
        const isBest = isOutput && neuron === label && light[index] > 0;
        circle.classList.toggle("best", isBest);
        circle.setAttribute("aria-pressed", selection?.layer === index - 1 && selection.neuron === neuron);
        if (isOutput) circle.lastChild.textContent = labelNames[neuron] ?? neuron;
        const words = neuronName(index - 1, neuron, { count: layers.length - 1, labelNames });
        circle.setAttribute("aria-label", `${words}${text && `: ${text}`}${isBest ? ", the brightest" : ""}`);
      }
    }
  }

  return { update };
}
