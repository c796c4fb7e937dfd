/** The key to a chart's series, which is its read-out as well: how each is drawn, its name, and its value. */

import { element, say } from "../../../js/elements.js";
import { DASHES, TEXTURES } from "./strokes.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * Show keys [{name, text, colour, dash, texture}] in a list. Where there are several, each can be taken out of the
 * chart and put back: `onPress(name)`; `hidden` has the names of those that are out.
 */
export function showKeys(list, keys, hidden, onPress) {
  while (list.children.length > keys.length) list.lastChild.remove();
  for (const [index, key] of keys.entries()) {
    const kind = JSON.stringify([key.name, key.colour, key.dash, key.texture, keys.length > 1]);
    let item = list.children[index];
    if (item?.dataset.kind !== kind) {
      const made = createItem(key, keys.length > 1, onPress);
      made.dataset.kind = kind;
      if (item) item.replaceWith(made);
      else list.append(made);
      item = made;
    }
    const isShown = !hidden.has(key.name);
    if (item.firstChild.ariaPressed) item.firstChild.ariaPressed = isShown;
    say(item.lastChild, isShown ? key.text : "hidden");
  }
}

function createItem({ name, colour, dash, texture }, canHide, onPress) {
  const line = dash === undefined ? [] : [createLine(colour, dash)];
  const parts = [...line, ...(texture === undefined ? [] : [createTexture(colour, texture)])];
  parts.push(element("span", { className: "name", title: name }, name));
  const title = canHide
    ? element("button", { type: "button", ariaPressed: "true", onclick: () => onPress(name) }, ...parts)
    : element("span", {}, ...parts);
  return element("li", {}, title, element("span", { className: "number" }));
}

/** A patch of a colour, with the texture that tells it from others without it. */
export function createTexture(colour, texture) {
  const patch = element("span", { className: `swatch ${TEXTURES[texture % TEXTURES.length]}`, ariaHidden: "true" });
  patch.style.setProperty("--ink", `var(--${colour})`);
  return patch;
}

function createLine(colour, dash) {
  const svg = document.createElementNS(SVG, "svg");
  const line = svg.appendChild(document.createElementNS(SVG, "line"));
  const attributes = { x1: 0, x2: 26, y1: 5, y2: 5, stroke: `var(--${colour})`, "stroke-width": 2.5 };
  attributes["stroke-dasharray"] = DASHES[dash % DASHES.length].join(" ");
  for (const [name, value] of Object.entries(attributes)) line.setAttribute(name, value);
  svg.setAttribute("viewBox", "0 0 26 10");
  svg.setAttribute("aria-hidden", "true");
  return svg;
}
