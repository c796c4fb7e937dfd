/** The colours of the pictures, which are dark in every theme: a neuron lights up. */

import { element } from "../elements.js";

const byPalette = {};

/** The colours of the chosen palette by their names in base.css, as a canvas takes them. */
export const colours = () => (byPalette[document.documentElement.dataset.palette] ??= read());

function read() {
  const probe = document.body.appendChild(element("i", { className: "night" }));
  const found = {};
  for (const name of ["positive", "negative", "text", "background"]) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}
