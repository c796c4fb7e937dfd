/** How many of the test images are read right: by the server's network, and by this one. */

import { element } from "../elements.js";
import { fitsSheet, NO_SHEET } from "../sheet/sheet.js";

function createBar(name) {
  const share = element("output");
  const bar = element("div");
  const track = element("div", { className: "score-track" }, bar);
  return {
    root: element("div", { className: "score" }, element("span", {}, name), share, track),
    show(readings) {
      const percent = readings ? (100 * readings.right) / readings.count : 0;
      share.textContent = readings ? `${percent.toFixed(1)}%` : "\u2026";
      bar.style.width = `${percent}%`;
    },
  };
}

export function start({ store, find }) {
  const [trained, own] = [createBar("Server's"), createBar("Yours")];
  const told = element("p", { className: "note" });
  find("score").append(trained.root, own.root, told);

  store.watch(["network", "altered", "readings", "trainedReadings"], () => {
    const network = store.get("network");
    if (!network) return;
    const fits = fitsSheet(network);
    const [readings, before] = [store.get("readings"), store.get("trainedReadings")];
    const isKnown = fits && readings && before?.network === network;
    trained.root.hidden = !fits;
    own.root.hidden = !fits || !store.get("altered");
    trained.show(isKnown ? before : null);
    own.show(isKnown ? readings : null);
    if (!fits) told.textContent = NO_SHEET;
    else if (!isKnown) told.textContent = "Reading the test images\u2026";
    else told.textContent = `Of 1,000 images of MNIST, read in ${Math.ceil(readings.milliseconds)} ms`;
  });
}
