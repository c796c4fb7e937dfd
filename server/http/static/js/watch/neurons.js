/** The circles: a button for each neuron that is shown, as bright as its activation, with the number in it. */

import { element, say } from "../elements.js";
import { place, placeOf } from "./layout.js";
import { short } from "./numbers.js";

/** Above it black is easier to read than white. */
const BRIGHT = 0.46;

/** Make the circles of a layout; returns update(scene, {shown, scales, lights}), of a list for each layer each. */
export function createNeurons(stage, layers) {
  const last = layers.length - 1;
  const groups = layers.map((layer, index) => {
    const circles = Array.from({ length: layer.isGrid ? 0 : layer.count }, (_, slot) => {
      const parts = ["value", "label"].map((className) => element("span", { className }));
      const [left, top] = placeOf(layer, slot);
      return place(element(index ? "button" : "span", { className: "neuron", tabIndex: -1 }, ...parts), { left, top });
    });
    return element("div", { role: "group" }, ...circles);
  });
  stage.append(...groups);
  const first = stage.querySelector("button");
  if (first) first.tabIndex = 0;

  return function update(scene, { shown, scales, lights }) {
    const { network, activations, selected, label, labelNames, layerName, neuronName } = scene;
    for (const [layer, group] of groups.entries()) {
      group.ariaLabel = [layerName(layer), network?.layers[layer - 1]?.activation].filter(Boolean).join(", ");
      for (const [slot, circle] of [...group.children].entries()) {
        const neuron = shown[layer][slot];
        const value = lights[layer] && activations ? activations[layer][neuron] : null;
        const level = lights[layer] * Math.min(1, Math.abs(value) / scales[layer]);
        const text = value === null ? "" : short(value);
        const isBest = layer === last && neuron === label && value !== null;
        Object.assign(circle.dataset, { layer, neuron });
        circle.style.setProperty("--level", level.toFixed(3));
        circle.classList.toggle("bright", level > BRIGHT);
        circle.classList.toggle("negative", value < 0);
        circle.classList.toggle("best", isBest);
        say(circle.firstChild, text);
        if (!layer) continue;
        if (layer === last) say(circle.lastChild, labelNames[neuron]);
        circle.ariaPressed = selected?.layer === layer && selected.neuron === neuron;
        circle.ariaLabel = `${neuronName(layer, neuron)}${text && `: ${text}`}${isBest ? ", the brightest" : ""}`;
      }
    }
  };
}

/** Let arrow keys lead along a layer and to the next one, and the tab key to one circle alone. */
export function moveFocus(event) {
  const { target: circle, currentTarget: stage, key } = event;
  if (!circle.matches("button") || !key.startsWith("Arrow")) return;
  event.preventDefault();
  const layers = [...stage.querySelectorAll("[role=group]:has(button)")].map((group) => [...group.children]);
  const layer = layers.findIndex((circles) => circles.includes(circle));
  const slot = layers[layer].indexOf(circle);
  const by = /Left|Up/.test(key) ? -1 : 1;
  const isAlong = /Up|Down/.test(key) === stage.classList.contains("across");
  const circles = layers[isAlong ? layer : layer + by];
  const next = circles?.[isAlong ? slot + by : Math.min(slot, circles.length - 1)];
  if (!next) return;
  for (const button of layers.flat()) button.tabIndex = button === next ? 0 : -1;
  next.focus();
}
