/** The colours of the pictures, which are dark in every theme: a neuron lights up. */

const NAMES = ["positive", "negative", "text", "muted", "background", "accent"];
const byPalette = new Map();

/** The colours of the chosen palette by their names in base.css, as a canvas takes them. */
export function colours() {
  const palette = document.documentElement.dataset.palette ?? "";
  if (!byPalette.has(palette)) {
    const probe = document.body.appendChild(document.createElement("i"));
    probe.className = "night";
    const found = NAMES.map((name) => {
      probe.style.color = `var(--${name})`;
      return [name, getComputedStyle(probe).color];
    });
    probe.remove();
    byPalette.set(palette, Object.fromEntries(found));
  }
  return byPalette.get(palette);
}
