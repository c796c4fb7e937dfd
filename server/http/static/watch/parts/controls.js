/** What one chooses: the range, a picture that stands still, and how the page looks. */

import { byId, startChoice } from "../../js/elements.js";

const CONTROLS = "a, button, select, input, summary, [tabindex]";
const FIELD = /^#range=(\d+)$/;

/** Start the controls. Returns what is chosen, {range (in seconds), isPaused}; `onChange` is called after a change. */
export function startControls({ onChange }) {
  const { range, pause, theme } = byId;
  const ranges = [...range.querySelectorAll("button")];
  const chosen = { range: 0, isPaused: false };

  function readHash() {
    const [, wanted] = FIELD.exec(location.hash) ?? [];
    const button = ranges.find(({ value }) => value === wanted) ?? ranges[0];
    for (const one of ranges) one.ariaPressed = one === button;
    chosen.range = Number(button.value);
  }

  startChoice(range, (value) => {
    // Not a step to go back to.
    history.replaceState(null, "", `#range=${value}`);
    chosen.range = Number(value);
    onChange();
  });
  addEventListener("hashchange", () => {
    readHash();
    onChange();
  });
  readHash();

  pause.onclick = () => {
    chosen.isPaused = !chosen.isPaused;
    pause.ariaPressed = chosen.isPaused;
    onChange();
  };
  addEventListener("keydown", (event) => {
    const isPlain = !event.ctrlKey && !event.altKey && !event.metaKey && !event.repeat;
    // What has the focus may want the key itself.
    const isOurs = event.key.toLowerCase() === "p" || (event.key === " " && !event.target.closest(CONTROLS));
    if (!isPlain || !isOurs || event.target.closest("select, input")) return;
    event.preventDefault();
    pause.click();
  });

  // Kept for the next visit, here and on the page that draws: see looks.js.
  theme.value = document.documentElement.dataset.theme ?? "auto";
  theme.onchange = () => (document.documentElement.dataset.theme = localStorage.theme = theme.value);
  return chosen;
}
