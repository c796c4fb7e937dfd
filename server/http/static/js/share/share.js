/** Links that hold the drawing, and lines that ask the same from elsewhere. */

import { hasToken } from "../api.js";
import { fragmentOf } from "./link.js";
import { startOpening } from "./opening.js";
import { linesOf } from "./snippets.js";

export function start({ store, root }) {
  const [text, copy, status] = ["text", "copy", "status"].map((id) => root.querySelector(`#share-${id}`));
  const choices = [...root.querySelectorAll(".segments > button")];
  let chosen = "link";
  let isScheduled = false;

  function textOf() {
    const { models, network, model, version, pixels } = store.state;
    if (network?.inputs !== pixels.length) return "";
    if (chosen === "link") return location.href.split("#")[0] + fragmentOf({ network, model, version, pixels });
    const { shape, inputRange } = network;
    const { origin, hostname } = location;
    const server = { origin, hostname, grpcAddress: models.grpc_address, isEncrypted: models.grpc_tls };
    return linesOf({ ...server, hasToken: hasToken(), model, version, pixels, shape, inputRange })[chosen];
  }

  function show() {
    if (isScheduled) return;
    isScheduled = true;
    requestAnimationFrame(() => {
      isScheduled = false;
      text.textContent = textOf();
      copy.disabled = !text.textContent;
      copy.textContent = chosen === "link" ? "Copy link" : `Copy as ${chosen}`;
      status.textContent = "";
    });
  }

  copy.addEventListener("click", async () => {
    status.textContent = (await copyText(text)) ? "Copied." : "Selected: press Ctrl+C to copy.";
  });
  for (const button of choices) {
    button.addEventListener("click", () => {
      chosen = button.value;
      for (const one of choices) one.ariaPressed = String(one === button);
      show();
    });
  }
  store.watch(["pixels", "network", "model", "version", "models"], show);
  startOpening({ store });
}

/** Copy an element's text; false when that is not allowed, and the text is selected instead. */
async function copyText(element) {
  try {
    // There is none but on HTTPS and on this machine.
    await navigator.clipboard.writeText(element.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(element);
    return document.execCommand("copy");
  }
}
