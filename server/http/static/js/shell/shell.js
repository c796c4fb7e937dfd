/** The header: what answers, how the page looks, what goes wrong, and the token. */

import { byId } from "../elements.js";
import { start as startBanner } from "./banner.js";
import { start as startChooser } from "./chooser.js";
import { start as startToken } from "./token.js";

export function start({ store, retry }) {
  const { theme, palette } = byId;
  startChooser({ store });
  startBanner({ store, retry, askForToken: startToken({ store, retry }) });

  /** Looks are kept for the next visit: see looks.js. */
  function keep(key, value) {
    document.documentElement.dataset[key] = localStorage[key] = value;
    store.set({ [key]: value });
  }

  theme.onchange = () => keep("theme", theme.value);
  palette.onclick = () => keep("palette", store.state.palette === "film" ? "safe" : "film");
  store.watch(["theme", "palette"], () => {
    theme.value = store.state.theme;
    palette.ariaPressed = store.state.palette === "film";
  });
}
