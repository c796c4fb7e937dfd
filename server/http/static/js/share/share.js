/** Links that hold the drawing, and lines that ask the same from elsewhere. */

import { hasToken } from "../api.js";
import { byId, startChoice } from "../elements.js";
import { fragmentOf } from "./link.js";
import { startOpening } from "./opening.js";
import { linesOf } from "./snippets.js";

export function start({ store, root }) {
  const { shareText, shareCopy, shareStatus } = byId;
  let chosen = "link";
  let frame = 0;

  function textOf() {
    const { models, network, model, version, pixels } = store.state;
    if (network?.inputs !== pixels.length) return "";
    const { origin, hostname, href } = location;
    if (chosen === "link") return href.split("#")[0] + fragmentOf({ network, model, version, pixels });
    const { shape, inputRange } = network;
    const server = { origin, hostname, grpcAddress: models.grpc_address, isEncrypted: models.grpc_tls };
    return linesOf({ ...server, hasToken: hasToken(), model, version, pixels, shape, inputRange })[chosen];
  }

  function show() {
    frame = 0;
    shareText.textContent = textOf();
    shareCopy.disabled = !shareText.textContent;
    shareCopy.textContent = chosen === "link" ? "Copy link" : `Copy as ${chosen}`;
    shareStatus.textContent = "";
  }

  shareCopy.onclick = async () => {
    let isCopied = true;
    try {
      // There is none but on HTTPS and on this machine.
      await navigator.clipboard.writeText(shareText.textContent);
    } catch {
      getSelection().selectAllChildren(shareText);
      isCopied = document.execCommand("copy");
    }
    shareStatus.textContent = isCopied ? "Copied." : "Selected: press Ctrl+C to copy.";
  };
  startChoice(root.querySelector(".segments"), (value) => {
    chosen = value;
    show();
  });
  store.watch(["pixels", "network", "model", "version", "models"], () => (frame ||= requestAnimationFrame(show)));
  startOpening(store);
}
