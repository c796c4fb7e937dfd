/** Colours and type as a canvas takes them: read from the stylesheets, and again when theme or medium change. */

import { element } from "../../../js/elements.js";

const found = new Map();
const listeners = new Set();

/** The colour of a variable of the stylesheets, "muted" for --muted; others as they are, such as color-mix(...). */
export const colour = (name) => read("color", name.includes("(") ? name : `var(--${name})`);

/** Pixels of the small print of charts, which follows the reader's font size. */
export const fontSize = () => parseFloat(read("fontSize", "0.7rem"));

/** Have a function called when colours have changed. */
export const onColours = (listener) => listeners.add(listener);

function read(property, value) {
  if (!found.has(value)) {
    const probe = document.body.appendChild(element("i"));
    probe.style[property] = value;
    found.set(value, getComputedStyle(probe)[property]);
    probe.remove();
  }
  return found.get(value);
}

function forget() {
  found.clear();
  for (const listener of listeners) listener();
}

for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)", "print"]) {
  matchMedia(query).addEventListener("change", forget);
}
new MutationObserver(forget).observe(document.documentElement, { attributeFilter: ["data-theme", "data-palette"] });
