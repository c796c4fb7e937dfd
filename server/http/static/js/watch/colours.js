/** The colours of the pictures, which are dark in every theme: a neuron lights up. */

const byPalette = {};

/** The colours of the chosen palette by their names in base.css, as a canvas takes them. */
export function colours() {
  const { palette } = document.documentElement.dataset;
  return (byPalette[palette] ??= read());
}

function read() {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.className = "night";
  const found = {};
  for (const name of ["positive", "negative", "text", "background"]) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}
