/** Links that hold the drawing, and lines that ask the same from elsewhere. */

import { hasToken } from "../api.js";
import { copyText } from "./clipboard.js";
import { startOpening } from "./opening.js";
import { fragmentOf } from "./link.js";
import { linesOf } from "./snippets.js";

export function start({ store, root }) {
  const [text, copy, status] = ["text", "copy", "status"].map((id) => root.querySelector(`#share-${id}`));
  const choices = [...root.querySelectorAll(".segments > button")];
  let chosen = "link";
  let isScheduled = false;

  function textOf() {
    const network = store.get("network");
    const [model, version, pixels] = ["model", "version", "pixels"].map(store.get);
    if (!network || network.inputs !== pixels.length) return "";
    if (chosen === "link") return location.origin + location.pathname + fragmentOf({ network, model, version, pixels });
    const { grpc_address: grpcAddress, grpc_tls: isEncrypted } = store.get("models");
    const { shape, inputRange } = network;
    const { origin, hostname } = location;
    const asked = { origin, hostname, grpcAddress, isEncrypted, hasToken: hasToken(), model, version, pixels, shape };
    return linesOf({ ...asked, inputRange })[chosen];
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
      for (const one of choices) one.setAttribute("aria-pressed", String(one === button));
      show();
    });
  }
  store.watch(["pixels", "network", "model", "version", "models"], show);
  startOpening({ store });
}
