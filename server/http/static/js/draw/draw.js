/** What the network is asked about: a drawing, or numbers when its inputs are not an image. */

import { byId } from "../elements.js";
import { startFields } from "./fields.js";
import { startImage } from "./image.js";

export function start({ store }) {
  const { drawTitle, drawImage, drawFields, adjust } = byId;
  const image = startImage(store, drawImage);
  const fields = startFields(store);
  let part = image;
  // Where it stands beside the answer; on a phone it would stand between.
  adjust.open = matchMedia("(min-width: 64rem)").matches;

  store.watch(["network"], () => {
    const { network } = store.state;
    if (!network) return;
    part = network.shape ? image : fields;
    drawImage.hidden = part !== image;
    drawFields.hidden = part !== fields;
    drawTitle.textContent = titleOf(network);
    part.show(network);
  });
  store.watch(["loaded", "networkOf"], () => {
    const { loaded, networkOf } = store.state;
    // Kept until it is known what the network takes.
    if (!loaded || !networkOf) return;
    store.set({ loaded: null });
    part.load(loaded);
  });
}

function titleOf({ shape, labelNames }) {
  if (!shape) return "Set the inputs";
  return labelNames.every((name) => /^\d$/.test(name)) ? "Draw a digit" : "Draw an image";
}
