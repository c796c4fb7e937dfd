/** The header: what answers, how the page looks, what goes wrong, and the token. */

import { start as startBanner } from "./banner.js";
import { start as startChooser } from "./chooser.js";
import { start as startLoaded } from "./loaded.js";
import { start as startThemes } from "./themes.js";
import { start as startToken } from "./token.js";

export function start({ store, root, retry }) {
  startThemes({ store, root });
  startChooser({ store, root });
  startLoaded({ store, root });
  const askForToken = startToken({ store, dialog: document.getElementById("token"), retry });
  startBanner({ store, root: document.getElementById("banner"), retry, askForToken });
}
