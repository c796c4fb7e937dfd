/** What the network is asked about: a drawing, or numbers when its inputs are no image. */

import { startFields } from "./fields.js";
import { startImage } from "./image.js";

export function start({ store, root }) {
  const [imageRoot, fieldsRoot] = ["#draw-image", "#draw-fields"].map((id) => root.querySelector(id));
  const image = startImage({ store, root: imageRoot });
  const fields = startFields({ store, root: fieldsRoot });
  let part = image;
  // Where it stands beside the answer; on a phone it would stand between.
  root.querySelector("#adjust").open = matchMedia("(min-width: 64rem)").matches;

  store.watch(["network"], () => {
    const { network } = store.state;
    if (!network) return;
    part = network.shape ? image : fields;
    imageRoot.hidden = part !== image;
    fieldsRoot.hidden = part !== fields;
    root.querySelector("h2").textContent = titleOf(network);
    part.show(network);
  });
  store.watch(["loaded"], () => {
    if (store.state.loaded) part.load(store.state.loaded);
  });
}

function titleOf({ shape, labelNames }) {
  if (!shape) return "Set the inputs";
  return labelNames.every((name) => /^\d$/.test(name)) ? "Draw a digit" : "Draw an image";
}
