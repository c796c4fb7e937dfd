/** Opens links: chooses their model and shows their drawing, or says why not. */

import { byId } from "../elements.js";
import { findVersion } from "../models/list.js";
import { parseFragment, pixelsOf } from "./link.js";

export function startOpening(store) {
  let link = null;
  let remark = "";

  function say(message) {
    byId.linkWord.textContent = message;
    byId.linkWord.hidden = !message;
  }

  function open() {
    const { hash } = location;
    link = parseFragment(hash);
    say(link || !hash ? "" : "The address holds no drawing that this page can read; it is ignored.");
    choose();
  }

  /** Choose the link's model, once it is known which there are. */
  function choose() {
    const { models } = store.state;
    if (!link || !models) return;
    const { model, version } = link;
    const isServed = findVersion(models, model, version)?.is_loaded;
    remark = isServed ? "" : ` It is for ${model.slice(0, 60)}, version ${version}, which is not served here.`;
    if (isServed) store.set({ model, version });
    restore();
  }

  /** Show the drawing, once the network is there. */
  function restore() {
    const { models, model, version, network } = store.state;
    if (!link || !models || network?.model !== model || network.version !== version) return;
    try {
      store.set({ loaded: { pixels: pixelsOf(link, network), name: "the drawing of a link", isAlone: true } });
      say(`Opened from a link.${remark}`);
    } catch {
      say(`The link's drawing is not for ${model}, version ${version}; it is ignored.${remark}`);
    }
    link = null;
  }

  addEventListener("hashchange", open);
  open();
  store.watch(["models"], choose);
  store.watch(["network"], restore);
}
